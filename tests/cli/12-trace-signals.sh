# trace: signals and the shell's job control, whoever watches.
# timeout: 180
. "$SB_TESTS/cli/lib.sh"

# In a shell of its own: this one leaves its loops when a job of it stops.
await() { # STATES: of trace and command, within five seconds
	bash -c '
		for ((i = 0; i < 100; i++)); do
			# t: stopped, and with a tracer.
			states=$(sed "s/.*) //; s/ .*//" /proc/$2/stat /proc/$3/stat | tr -d "\n" | tr t T)
			[ "$states" = "$1" ] && exit 0
			sleep 0.05
		done
		echo "states are $states, not $1"
		exit 1' await "$1" "$t" "$c"
}
start() { # COMMAND...: in the background, with $t and $c their pids
	rm -f pid
	sidebundle trace -b "$backend" -o t sh -c 'echo $$ >pid.new; mv pid.new pid; exec "$@"' sh "$@" &
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
# It comes as the command ends: nobody is left to be told.
late() {
	for _ in $(seq 20); do
		expect_status 9 sidebundle trace -b "$backend" -o t sh -c 'trap "" INT; kill -INT $PPID; exit 9' || return 1
	done
}
watched_by() { # BACKEND
	backend=$1
	if ! sidebundle trace -b "$backend" -o t true 2>why; then
		skip_check "$backend: all" "what it needs: $(cat why)"
		return
	fi
	for signal in TERM HUP USR1; do
		start sleep 30
		kill -$signal "$t"
		check "$backend: $signal is passed on, and the trace closed" ended $((128 + $(kill -l $signal)))
	done
	start sleep 30
	kill -INT -"$t"
	check "$backend: an interrupt of the group ends both" ended 130
	rm -f ready
	start bash -c 'trap "exit 9" INT; : >ready; while :; do sleep 0.1; done'
	until [ -e ready ]; do sleep 0.05; done
	kill -INT -"$t"
	check "$backend: a command that handles it decides" ended 9
	check "$backend: a signal that comes too late takes no status away" late

	start sleep 3
	kill -TSTP -"$t"
	check "$backend: the group stops" await TT
	kill -CONT -"$t"
	check "$backend: and goes on" await SS
	kill -TSTP "$t"
	check "$backend: trace alone, and both stop" await TT
	kill -CONT "$t"
	check "$backend: and go on" await SS
	kill -STOP "$c"
	check "$backend: the command alone" await ST
	kill -CONT "$t"
	check "$backend: is continued through trace" await SS
	check "$backend: and its status is its own" ended 0
}
# No loop: see above.
watched_by hybrid
watched_by audit
watched_by notify
watched_by ptrace
