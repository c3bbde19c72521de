# trace -b notify: what only the kernel tells, and that the command does not suffer from us. Other backends
# that listen to notifications are held to the same (16-hybrid.sh).
# timeout: 120
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/strict.sh"
b=${NOTIFYING:-notify}

sidebundle trace -b $b -o probe.trace true 2>probe.err ||
	skip "seccomp notification, and to read the memory of a child: $(cat probe.err)"

if command -v busybox >/dev/null; then
	sidebundle trace -b $b -o static.trace busybox cat /etc/passwd >/dev/null
	check "a static program" seen static.trace /etc/passwd
else
	skip_check "a static program" "the program busybox is missing"
fi
sidebundle trace -b $b -o libc.trace sh -c 'getent passwd root' >/dev/null
check "what libc opens by itself" seen libc.trace /etc/nsswitch.conf
check "and the linker" seen libc.trace /etc/ld.so.cache

own_names() { # what they mean to the command, and not to us
	sidebundle trace -b notify -o own.trace bash -c 'cat <(echo); cat /proc/self/fd/8 8</etc/passwd; cat /dev/stdin' \
		</etc/passwd >/dev/null && ! grep -E '"path":"/(dev/(fd|stdin)|proc/self/fd)/?[0-9]*",.*"outcome":2' own.trace
}
check "a descriptor by its name is the command's own" own_names

# --- statuses and errors ---------------------------------------------------------------------------------
check "the status is the command's" expect_status 7 sidebundle trace -b $b sh -c 'exit 7'
check "a signal's" expect_status 137 sidebundle trace -b $b sh -c 'kill -9 $$'
touch plain
check "not executable" expect_status 126 sidebundle trace -b $b ./plain
check "not there" expect_status 127 sidebundle trace -b $b ./nowhere
check "no trace is left of what never ran" test ! -e nowhere.trace
check "a trace within a trace" expect_match 'a trace within a trace.*-b audit' \
	sidebundle trace -b $b -o out.trace sidebundle trace -b $b -o in.trace true
check "and audit works there" expect_status 0 \
	sidebundle trace -b $b -o out.trace sidebundle trace -b audit -o in.trace true
check "without seccomp it says so" expect_match "backend $b: .*take -b" \
	"$SB_TOOLS/lockdown" no-seccomp -- sidebundle trace -b $b true
check "without ptrace it works" expect_status 0 "$SB_TOOLS/lockdown" no-ptrace -- sidebundle trace -b $b true
# shellcheck disable=SC2012 # names are numbers
check "no descriptor of ours is in the command" expect_output "$(ls /proc/self/fd | wc -l)" \
	env b="$b" sh -c 'sidebundle trace -b "$b" ls /proc/self/fd | wc -l'

# --- time, and who lives on ----------------------------------------------------------------------------
check "its time is up, and what it started is gone" expect_status 124 \
	sidebundle trace -b $b --timeout 1 sh -c 'setsid sleep 77.7 & sleep 77.7'
check "all of it" nobody 'sleep 77.7'

hold_daemons $b

# Killed in the middle: each of the command's calls would fail without somebody to answer it.
survives() {
	rm -f pid whole
	sidebundle trace -b $b -o cut.trace sh -c \
		'echo >pid; for i in 1 2 3 4 5; do sleep 0.1; cat /etc/passwd >/dev/null || exit; done; echo >whole' 2>killed.err &
	local t=$!
	until [ -e pid ]; do sleep 0.02; done
	kill -KILL "$t"
	wait "$t" 2>/dev/null
	for ((i = 0; i < 50; i++)); do
		[ -e whole ] && break
		sleep 0.1
	done
	[ -e whole ] || { echo "the command did not get to its end"; return 1; }
	expect_match 'cut short: the tracer was killed \(2' sidebundle show cut.trace &&
		tail -n 1 cut.trace | grep -qE '^\{"died":[0-9]+\}$' &&
		expect_match '\(died, 1 times\)' sidebundle show --log-level info cut.trace
}
check "we are killed, and the command goes on" survives
check "the user is told who is left" expect_output 1 grep -cE \
	'^sidebundle: warning: the tracer was killed: the command runs on, .*process [0-9]+ answers' killed.err
check "and nobody stands by any more" nobody 'sb-standby'
# Who stands by for a process that lives on holds no pipe open: its reader gets to the end.
piped() {
	rm -f go
	timeout 20 bash -c 'sidebundle trace -b "$1" -o pipe.trace sh -c \
		"until [ -e go ]; do sleep 0.1; done >/dev/null 2>&1 &" 2>&1 | cat' - $b >pipe.out
	local got=$?
	: >go
	grep -q 'still running' pipe.out && [ $got = 0 ]
}
check "nor holds a pipe open" piped

# --- io_uring, and set-id programs -------------------------------------------------------------------------
hold_privileges "$b"
check "an unknown way of it" expect_status 2 sidebundle trace --io-uring=maybe true
