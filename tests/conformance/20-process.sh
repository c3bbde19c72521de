# Processes and threads: whatever becomes of them, what they did is in the trace.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
d=$(fresh d)

check "killed by SIGKILL right after 3000 opens" traced killed 137 "$T/killed" 3000 "$d"
for how in plain vfork nested thread; do
	check "fork: $how" traced "fork-$how" 0 "$T/forks" $how "$d" "$T/opens"
done
check "200 threads" traced threads 0 "$T/threads" 200 0 "$d"
check "threads with stacks of 16 KiB" traced small-stacks 0 "$T/threads" 20 16384 "$d"
check "a signal handler that opens, in a storm of signals" traced handler 0 "$T/handler" "$d"
check "threads cancelled in open" traced cancelled 0 "$T/cancelled" "$(fresh cancel)"
check "2000 processes, 50 at once" traced storm 0 "$T/storm" 2000 50 "$T/opens" "$d"

waited_for() {
	# shellcheck disable=SC2034 # traced reads it
	local -a TRACE_OPTIONS=(--wait-all)
	traced "$@"
}
check "a daemon, waited for" waited_for daemon 0 "$T/forks" daemon "$d" "$T/opens"

outlive() {
	local dir bad=0
	dir=$(fresh outlive)
	also outlive "blind outlived -"
	traced outlive 0 timeout 60 "$T/forks" outlive "$dir" "$T/opens" || bad=1
	[ -e "$dir/survived" ] && { echo "it was to live on"; bad=1; }
	: >"$dir/go"
	for _ in $(seq 300); do
		[ -e "$dir/survived" ] && break
		sleep 0.05
	done
	[ -e "$dir/survived" ] || { echo "the process that lived on was disturbed"; bad=1; }
	return $bad
}
check "a process that outlives the command" outlive
