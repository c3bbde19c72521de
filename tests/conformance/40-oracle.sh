# Real workloads, watched by this backend, against what ptrace saw of them (ptrace itself: against strace).
# Prints recall and precision, and holds the backend to what it promises.
# backends: audit hybrid notify ptrace combined
# timeout: 1200
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/conformance/oracle.sh"

case $SB_BACKEND in
# Where it is better than ptrace: on a machine that refuses ptrace.
hybrid | notify) locked=no-ptrace ;;
*) locked='' ;;
esac
all_workloads $locked
