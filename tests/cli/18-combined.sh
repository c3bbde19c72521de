# trace -b combined: what ptrace tells, and what the file systems tell beyond it; nothing twice.
# right: sys_admin
# timeout: 120
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/strict.sh"

if ! sidebundle trace -b combined -o t true 2>why; then
	# As an ordinary user: a clear word, and no trace.
	check "refused with the reason and the remedy" grep -qE 'backend combined: .*(CAP_SYS_ADMIN|CAP_PERFMON|CONFIG_|-b audit)' why
	skip "ptrace, and marks on the mounts: $(tail -n 1 why)"
fi

traced() { sidebundle trace -b combined -o t "$@"; }
by_files() { grep '^{"event":' "t" | grep '"backend":"fanotify"'; }
nothing_by_files() { ! by_files; }
closed() { tail -n 1 "${1:-t}" | grep -q '^{"end":true,.*"lost":0,"blind":\[\]'; }
ends_whole() { tail -n 1 t | grep -q '^{"end":true,.*"lost":0,'; }

# --- both saw it, it stands once -----------------------------------------------------------------------
mkdir -p real/sub && echo x >real/file && ln -s real link
cat >script <<-'X'
	#!/bin/sh
	cat link/file nothing real/../link/file
	ls real >made
	exec 3<>both
	(echo z >&3)
	mv made made2
	cat made2 >>appended
	: >opened-and-left
	exec 4>still-open
	mkdir d && (cd d && echo y >y && rm y) && rmdir d
	find . -name file >found
	for i in 1 2 3 4 5; do /bin/true; sh -c 'exec cat link/file' >/dev/null; done
	exec /bin/cat real/file
X
chmod +x script
traced ./script >/dev/null 2>&1
check "a script's every open and exec, once" nothing_by_files
check "the trace is closed, nothing lost" closed
check "as ptrace names it" bash -c 'sidebundle show t --format paths --as-named | grep -qxF "$PWD/link/file"'
check "with what failed" bash -c 'sidebundle show t --failed --kind open --format paths --as-named | grep -qxF "$PWD/nothing"'
if command -v cc >/dev/null && command -v make >/dev/null; then
	cp -r "$SB_TESTS/project" project
	traced make -s -j4 -C project check >/dev/null
	check "a build and its tests, as well" nothing_by_files
	check "and that one is whole" ends_whole
else
	skip_check "a build and its tests, as well" "the programs cc and make"
fi
rm -f pids
traced sh -c 'for i in $(seq 300); do (cat <real/file >/dev/null); done'
check "600 processes, each gone before we look" nothing_by_files
if command -v busybox >/dev/null; then
	traced busybox sh -c 'busybox cat real/file' >/dev/null
	check "a static program's opens" bash -c 'sidebundle show t --format paths | grep -qxF "$PWD/real/file"'
	check "once" nothing_by_files
else
	skip_check "a static program's opens" "the program busybox is missing"
fi

# --- files alone saw it --------------------------------------------------------------------------------
ring() { # what is opened through io_uring, by who opened it
	rm -rf rings && mkdir rings
	traced --io-uring=allow sh -c '"$1" "$2"' - "$SB_TARGETS/uring" "$PWD/rings" >/dev/null 2>&1
	by_files >files
	[ "$(wc -l <files)" -eq 1 ] && grep -q "\"event\":\"open\",.*\"path\":\"$PWD/rings/in-ring\",.*\"outcome\":0" files || {
		cat files
		return 1
	}
	who=$(sed -n 's/.*"process":\([0-9]*\).*/\1/p' files)
	grep "^{\"process\":$who," t | grep -q "\"exe\":\"$SB_TARGETS/uring\""
}
if grep -qx 0 /proc/sys/kernel/io_uring_disabled 2>/dev/null; then
	check "what io_uring opens, and nothing else" ring
else
	skip_check "what io_uring opens, and nothing else" "io_uring on this machine"
fi
dump() { # what the kernel writes for a process, when that makes no calls any more
	rm -f core*
	traced bash -c 'ulimit -c 1000; bash -c "kill -SEGV \$\$"; true' >/dev/null 2>&1
	[ -n "$(ls core* 2>/dev/null)" ] || return 77
	by_files | grep -q "\"event\":\"write\",.*\"path\":\"$PWD/core"
}
dump
case $? in
0) check "a core dump" true ;;
77) skip_check "a core dump" "the machine writes none here (core_pattern, limits)" ;;
*) check "a core dump" dump ;;
esac

# --- statuses, time, and who lives on --------------------------------------------------------------------
check "status" expect_status 7 traced sh -c 'exit 7'
check "status of a signal" expect_status 143 traced sh -c 'kill $$'
check "126: not executable" expect_status 126 sidebundle trace -b combined -o none real/file
check "127: not found" expect_status 127 sidebundle trace -b combined -o none no-such-program
check "no trace is left of what never ran" test ! -e none
check "124: time-out" expect_status 124 sidebundle trace -b combined --timeout 0.3 -o t sh -c 'sleep 78.1 & sleep 78.1'
check "nobody is left" nobody 'sleep 78.1'
hold_death combined
hold_saved combined
hold_daemons combined
check "whole, where it was waited for" closed waited.trace
check "told by one of the two" bash -c 'tail -n 1 daemon.trace | grep -q "\"outlived\",\"path\":\"[^\"]*/sh\",\"count\":1}"'
check "and whoever served it is gone with it" nobody '.*trace -b combined -o daemon.trace.*'
check "it says so under another tracer" expect_match 'backend combined: .*trace within a trace' \
	sidebundle trace -b ptrace -o t sidebundle trace -b combined -o t2 true

# --- set-id programs, and io_uring ------------------------------------------------------------------------
hold_privileges combined
