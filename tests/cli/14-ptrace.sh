# trace -b ptrace: exact outcomes, whoever calls, and that the command does not suffer from us.
# timeout: 120
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/strict.sh"

sidebundle trace -b ptrace -o probe.trace true 2>probe.err ||
	skip "ptrace of a child, and a seccomp filter: $(cat probe.err)"
echo data >data

shows() { # TRACE KIND OUTCOME PATH
	sidebundle show --format json --failed --kind "$2" "$1" |
		grep -qF "\"event\":\"$2\",\"process\":" &&
		sidebundle show --format json --kind "$2" "$1" | grep -F "\"path\":\"$4\"" | grep -q "\"outcome\":$3,"
}

# --- what is seen -----------------------------------------------------------------------------------
if command -v busybox >/dev/null; then
	sidebundle trace -b ptrace -o static.trace busybox cat /etc/passwd >/dev/null
	check "a static program" seen static.trace /etc/passwd
else
	skip_check "a static program" "the program busybox is missing"
fi
sidebundle trace -b ptrace -o libc.trace sh -c 'getent passwd root' >/dev/null
check "what libc opens by itself" seen libc.trace /etc/nsswitch.conf
sidebundle trace -b ptrace -o exact.trace bash -c ': <nowhere; ulimit -n 3; : <data' 2>/dev/null
check "an errno is the call's own" shows exact.trace open 2 "$PWD/nowhere"
check "also where no look from outside could tell" shows exact.trace open 24 "$PWD/data"
nothing_open() { ! grep -q '"outcome":null' ./*.trace; }
check "no outcome is unknown" nothing_open

# --- statuses and errors ------------------------------------------------------------------------------
check "the status is the command's" expect_status 7 sidebundle trace -b ptrace sh -c 'exit 7'
check "a signal's" expect_status 137 sidebundle trace -b ptrace sh -c 'kill -9 $$'
touch plain
check "not executable" expect_status 126 sidebundle trace -b ptrace ./plain
check "not there" expect_status 127 sidebundle trace -b ptrace -o nowhere.trace ./nowhere
check "no trace is left of what never ran" test ! -e nowhere.trace
check "without ptrace it says so" expect_match 'backend ptrace: ptrace\(2\).*refused.*-b audit' \
	"$SB_TOOLS/lockdown" no-ptrace -- sidebundle trace -b ptrace true
check "without seccomp too" expect_match 'backend ptrace: seccomp\(2\) is refused.*-b audit' \
	"$SB_TOOLS/lockdown" no-seccomp -- sidebundle trace -b ptrace true
# shellcheck disable=SC2012 # names are numbers
check "no descriptor of ours is in the command" expect_output "$(ls /proc/self/fd | wc -l)" \
	sh -c 'sidebundle trace -b ptrace ls /proc/self/fd | wc -l'

# --- time, and who lives on ----------------------------------------------------------------------------
check "its time is up, and what it started is gone" expect_status 124 \
	sidebundle trace -b ptrace --timeout 1 sh -c 'setsid sleep 79.7 & sleep 79.7'
check "all of it" nobody 'sleep 79.7'
check "one that is stopped, as well" expect_status 124 \
	sidebundle trace -b ptrace --timeout 1 sh -c 'sleep 79.8 & kill -STOP $!; kill -STOP $$'
check "and gone" nobody 'sleep 79.8'

hold_daemons ptrace
check "and whoever served it is gone with it" nobody '.*trace -b ptrace -o daemon.trace.*'
piped() { # a daemon that keeps our stdout open is not to keep the reader of it from its end
	expect_output ended sh -c \
		'sidebundle trace -b ptrace -o piped.trace sh -c "setsid sleep 2 >/dev/null 2>&1 & echo ended" 2>/dev/null | cat'
}
check "nobody's pipe is held open for it" piped

hold_death ptrace
untimed() {
	(ulimit -i 0 && sidebundle trace -b ptrace -o untimed.trace sh -c 'cat data; sleep 0.1; exit 7') >untimed.out
	[ $? -eq 7 ] && seen untimed.trace "$PWD/data" && cmp data untimed.out
}
check "without a timer of its own it waits otherwise" untimed
check "and its time is up all the same" expect_status 124 \
	bash -c 'ulimit -i 0 && sidebundle trace -b ptrace --timeout 0.3 sleep 79.6'

# --- set-id programs, io_uring, and other tracers ----------------------------------------------------------
hold_privileges ptrace
debugger() { # COMMAND...: refused, and noted with a word
	expect_match '^sidebundle: .*could not trace what is traced already: .* \(debugger\)' \
		sidebundle trace -b ptrace -o debugger.trace "$@"
}
if command -v strace >/dev/null; then
	check "strace is refused, and noted" debugger strace -o strace.out cat data
else
	skip_check "strace is refused, and noted" "the program strace is missing"
fi
if command -v gdb >/dev/null; then
	check "gdb as well" debugger gdb -nx -q -batch -ex run --args cat data
else
	skip_check "gdb as well" "the program gdb is missing"
fi
