# A million opens: of ten names, and of a million names.
# slow
# timeout: 600
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
d=$(fresh d)

check "a million opens of ten names" traced repeated 0 "$T/million" 1000000 repeated "$d"
check "the trace of repeats is small" test "$(stat -c %s repeated.trace)" -lt 100000
check "a million names" traced distinct 0 "$T/million" 1000000 distinct "$d"
check "the tracer's memory does not grow with them" bash -c '
	( ulimit -v 1500000; exec sidebundle trace -o flat.trace -- "$@" >/dev/null )' - \
	"$T/million" 1000000 distinct "$d"
