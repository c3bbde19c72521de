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
check "threads cancelled in open and system" traced cancelled 0 "$T/cancelled" "$(fresh cancel)"
count=400
[ "$SB_BACKEND" != audit ] && [ "$SB_ALL" -eq 0 ] || count=2000
check "$count processes, 50 at once" traced storm 0 "$T/storm" $count 50 "$T/opens" "$d"
takeovers() { # COUNT
	local i
	for i in $(seq "$1"); do
		traced "takeover-exec$i" 0 "$T/takeover" exec "$T/opens" "$d" || return 1
	done
}
# Where nobody tells of an exec, a call of the others may bring it to light, or not: by chance.
count=1
[ "$SB_BACKEND" != notify ] && [ "$SB_BACKEND" != hybrid ] || count=15
check "exec from a thread, others opening" takeovers $count
check "exit from a thread, others opening" traced takeover-exit 7 "$T/takeover" exit "$T/opens" "$d"
for how in threads apart shared; do
	check "working directories that change: $how" traced "turns-$how" 0 "$T/turns" $how "$(fresh turns)"
done
check "SIGSTOP and SIGCONT" traced stops 0 "$T/stops" "$d"
check "job control" same jobs bash -c 'set -m; (kill -STOP $BASHPID; cat /etc/hostname) & sleep 0.1
	jobs | tr -d 0-9; fg >/dev/null; echo $?; sleep 5 & kill %%; wait %%; echo $?'

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
check "vfork with many variables" traced vforks 0 "$T/vforks" /bin/true
