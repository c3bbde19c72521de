# System calls that no libc makes: by an instruction, through io_uring.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"

check "raw system calls" traced raw 0 "$T/raw" "$T/opens" "$(fresh raw)"
check "io_uring, or what a program does without it" traced uring 0 "$T/uring" "$(fresh ring)"
check "a directory changed past libc" traced strays 0 "$T/strays" "$(fresh strays.d)"
