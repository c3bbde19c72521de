# The modules of the other machine, in programs that qemu-user runs: both load there, the program does
# not notice, and the trace holds what it did. qemu itself is a static program here: it hands our
# variables on, and its guest gets the modules of its own machine.
# timeout: 120
. "$SB_TESTS/cli/lib.sh"
[ "$(uname -m)" = x86_64 ] || skip "a machine of x86_64, to run the other one's programs on"
need aarch64-linux-gnu-gcc qemu-aarch64-static
modules=$SB_TARGETS/aarch64
[ -e "$modules/sidebundle-audit.so" ] || skip "modules for aarch64 (make targets, with aarch64-linux-gnu-gcc)"
libc=/usr/aarch64-linux-gnu
[ -e $libc/lib/libc.so.6 ] && [ -e $libc/include/stdio.h ] || skip "a libc for aarch64, and its headers: $libc"

build() { # NAME SOURCE...
	local name=$1
	shift
	aarch64-linux-gnu-gcc -D_GNU_SOURCE -I"$SB_TESTS/.." -std=gnu11 -O1 -o "$name" "$@" -lpthread
}
alone() { qemu-aarch64-static -L $libc "$@"; }
traced() { # TRACE COMMAND...
	local trace=$1
	shift
	sidebundle trace -b audit -o "$trace" -- qemu-aarch64-static -L $libc \
		-E LD_AUDIT="$modules/sidebundle-audit.so" -E LD_PRELOAD="$modules/sidebundle-preload.so" "$@"
}

check "build a program that calls everything" build every_call "$SB_TESTS/targets/every_call.c" \
	"$SB_TESTS"/targets/every_call/*.c
mkdir in
check "it runs" expect_status 0 alone ./every_call "$PWD/in" 2>alone.err >/dev/null
rm -r in && mkdir in
check "it runs traced" expect_status 0 traced t ./every_call "$PWD/in" 2>traced.err >says
check "and says the same" diff alone.err <(grep -v '^sidebundle: ' traced.err)

# This machine never had a __xstat of version 1, and qemu may lack openat2.
printf 'aarch64\t%s\t%s\n' 'expect stat 22 *' - 'expect open 38 *' may >list
check "every call is in the trace" "$SB_TOOLS/holds" --blind list aarch64 t <says
check "and what was loaded, and searched in vain" eval \
	'sidebundle show t --kind load | grep -q /libc.so.6 && sidebundle show t --kind search | grep -q ENOENT'
check "nothing was lost" grep -q '"lost":0' t
