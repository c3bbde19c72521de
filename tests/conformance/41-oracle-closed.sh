# The same where even the memory of one's own children may not be read, as Yama's scopes 2 and 3 have it:
# what audit promises of dynamically linked programs holds, the others are named. The aim is 100 %: two calls
# inside libc are missing still, the look at a directory that realpath() leaves by "..", and the open behind
# fchmodat() of a symlink.
# backends: hybrid
# timeout: 1200
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/conformance/oracle.sh"

export SB_PROMISED=99
all_workloads no-ptrace no-memory
