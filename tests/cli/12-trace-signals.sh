# trace: signals and the shell's job control.
# timeout: 60
. "$SB_TESTS/cli/lib.sh"

# In a shell of its own: this one leaves its loops when a job of it stops.
await() { # STATES: of trace and command, within five seconds
	bash -c '
		for ((i = 0; i < 100; i++)); do
			states=$(sed "s/.*) //; s/ .*//" /proc/$2/stat /proc/$3/stat | tr -d "\n")
			[ "$states" = "$1" ] && exit 0
			sleep 0.05
		done
		echo "states are $states, not $1"
		exit 1' await "$1" "$t" "$c"
}
start() { # COMMAND...: in the background, with $t and $c their pids
	rm -f pid
	sidebundle trace -o t sh -c 'echo $$ >pid.new; mv pid.new pid; exec "$@"' sh "$@" &
	t=$!
	until [ -s pid ]; do sleep 0.05; done
	c=$(cat pid)
}
ended() { # STATUS
	local got=0
	# -f: the end alone, not a stop that the shell had not told of yet.
	wait -f "$t" || got=$?
	[ "$got" = "$1" ] || { echo "status $got, not $1: $(tail -n 1 t)"; return 1; }
	tail -n 1 t | grep -q '^{"end":true'
}

# Jobs get process groups of their own, as at a prompt, and no ignored signals.
set -m
for signal in TERM HUP USR1; do
	start sleep 30
	kill -$signal "$t"
	check "$signal is passed on, and the trace closed" ended $((128 + $(kill -l $signal)))
done
start sleep 30
kill -INT -"$t"
check "an interrupt of the group ends both" ended 130
start bash -c 'trap "exit 9" INT; : >trapped; while :; do sleep 0.1; done'
until [ -e trapped ]; do sleep 0.05; done
kill -INT -"$t"
check "a command that handles it decides" ended 9
# It comes as the command ends: nobody is left to be told.
late() {
	for _ in $(seq 20); do
		expect_status 9 sidebundle trace -o t sh -c 'trap "" INT; kill -INT $PPID; exit 9' || return 1
	done
}
check "a signal that comes too late takes no status away" late

start sleep 3
kill -TSTP -"$t"
check "the group stops" await TT
kill -CONT -"$t"
check "and goes on" await SS
kill -TSTP "$t"
check "trace alone, and both stop" await TT
kill -CONT "$t"
check "and go on" await SS
kill -STOP "$c"
check "the command alone" await ST
kill -CONT "$t"
check "is continued through trace" await SS
check "and its status is its own" ended 0
