# The same where even the memory of one's own children may not be read, as Yama's scopes 2 and 3 have it:
# nothing of dynamically linked programs is missed, the others are named.
# backends: hybrid
# timeout: 1200
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/conformance/oracle.sh"

all_workloads no-ptrace no-memory
