# Every way to start a program, and trees of processes that die in odd ways.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"

check "every way to start a program" traced spawns 0 "$T/spawns" "$T/opens" "$(fresh s)"
check "from memory, and with file actions" traced starts 0 "$T/starts" "$T/opens" "$(fresh starts)"

# musl keeps file actions its own way; what they open in the child, its posix_spawn opens by itself.
moves_with_musl() {
	local include dir named
	dir=$(fresh musl)
	named=$dir/sub/program
	# fanotify tells of real names alone.
	[ "$SB_BACKEND" != fanotify ] || named=$(realpath "$T/opens")
	include=(-idirafter /usr/include -idirafter "/usr/include/$(gcc -print-multiarch)")
	musl-gcc -D_GNU_SOURCE -I"$SB_TESTS/.." -std=gnu11 "${include[@]}" -include sys/syscall.h \
		'-Dexecveat(...)=syscall(SYS_execveat, __VA_ARGS__)' -o starts.musl "$SB_TESTS/targets/starts.c" || return 1
	sidebundle trace -b "$SB_BACKEND" -o musl.trace -- ./starts.musl "$T/opens" "$dir" >/dev/null || return 1
	sidebundle show musl.trace --kind exec --as-named --format paths >musl.execs
	grep -qxF "$named" musl.execs && ! grep -q '/libc[.]' musl.execs
}
if command -v musl-gcc >/dev/null; then
	check "file actions of musl's that move the child" moves_with_musl
else
	skip_check "file actions of musl's" "the program musl-gcc is missing"
fi

interpreter_chain() {
	mkdir -p chain
	printf '#!/bin/sh\necho "inner $# $0"\n' >chain/inner
	printf '#!%s one\n' "$PWD/chain/inner" >chain/middle
	printf '#!/usr/bin/env -S -i A=b sh -x\necho $A "$@"\n' >chain/split
	chmod +x chain/*
	also chain "expect exec 0 - $PWD/chain/split" "expect exec 0 - /usr/bin/env"
	same chain sh -c 'chain/middle x; chain/split "y z"; sh chain/inner'
}
check "a script whose interpreter is a script, and env -S" interpreter_chain
check "status of a signal" expect_status 143 sidebundle trace -o s.trace -- sh -c 'kill -TERM $$'
check "a command that is missing" expect_status 127 env PATH="$SB_PREFIX/bin:/usr/bin:/bin" sidebundle trace -o s.trace -- nowhere-program
check "a command that is no program" expect_status 126 sidebundle trace -o s.trace -- /etc/passwd
check "a command that is a directory" expect_status 126 sidebundle trace -o s.trace -- /
check "a script without a first line" same plain-script sh -c 'echo echo \$0 >p; chmod +x p; ./p'
check "arguments of many kinds" same arguments printf '%q\n' "" " " $'\n' $'\xff' '$x' -- -o
long_arguments() { same long sh -c 'seq 1 60000 | xargs sh -c "echo \$#"'; }
check "argument lists of 128 KiB" long_arguments
huge_environment() { HUGE=$(head -c 120000 /dev/zero | tr '\0' x) same huge sh -c 'env | wc -c; sh -c "env | wc -c"'; }
check "a huge environment" huge_environment
