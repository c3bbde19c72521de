# A million opens: of ten names, and of a million names. Ten million: the tracer's memory stays what it is, and time
# grows with them and no faster.
# slow
# timeout: 1200
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
d=$(fresh d)

check "a million opens of ten names" traced repeated 0 "$T/million" 1000000 repeated "$d"
check "the trace of repeats is small" test "$(stat -c %s repeated.trace)" -lt 100000
check "a million names" traced distinct 0 "$T/million" 1000000 distinct "$d"
check "the tracer's memory does not grow with them" bash -c '
	( ulimit -v 1500000; exec sidebundle trace -o flat.trace -- "$@" >/dev/null )' - \
	"$T/million" 1000000 distinct "$d"

# Prints the tracer's peak of memory in kB, and the hundredths of a second of CPU that it all took. In a
# directory of its own: the kernel remembers names that it was asked for before, and is quicker then.
costs() { # COUNT
	local TIMEFORMAT='%U %S' d
	d=$(fresh "d$1")
	{ time sidebundle trace -o many.trace -- sh -c '"$1" "$2" distinct "$3" >/dev/null
		sed -n "s/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p" "/proc/$PPID/status"' - "$T/million" "$1" "$d" 2>/dev/null; } 2>&1 |
		awk 'NF == 1 { memory = $1 } NF == 2 { time = $1 + $2 } END { print memory, int(time * 100) }'
	rm -f many.trace
}
if [ "$(df -Pk . | awk 'NR == 2 { print $4 }')" -gt 4000000 ]; then
	read -r memory time < <(costs 1000000)
	read -r more longer < <(costs 10000000)
	echo "distinct names, tracer's memory and CPU of all: 1,000,000: $memory kB, $time cs; 10,000,000: $more kB, $longer cs"
	check "ten million names: under 100 MB" test "${more:-999999999}" -lt 100000
	check "and time grows with them" test "${longer:-999999999}" -lt $((time * 15))
else
	skip_check "ten million names" "4 GB of room for a trace are missing"
fi
