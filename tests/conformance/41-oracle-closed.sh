# The same where even the memory of one's own children may not be read, as Yama's scopes 2 and 3 have it:
# there it is audit that auto takes, and what it promises of dynamically linked programs holds; the others
# are named.
# backends: audit
# timeout: 1200
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/conformance/oracle.sh"

all_workloads no-ptrace no-memory
