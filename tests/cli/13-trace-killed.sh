# trace, killed while the command runs: the trace has what was known a moment before, whoever watches.
# timeout: 120
. "$SB_TESTS/cli/lib.sh"

mkdir files && touch files/{1..20}
mkfifo hold
# Waits for nobody: its only reader is our own, of which the command knows nothing.
exec 9<>hold

has() { # PATTERN: the trace, within ten seconds, though nothing more happens
	for ((i = 0; i < 200; i++)); do
		grep -qF -- "$1" t && return 0
		sleep 0.05
	done
	echo "not in the trace: $1"
	tail -n 3 t
	return 1
}
# The command has opened its files, and stays.
killed() { # BACKEND
	local front watcher command bad=0
	rm -f t pid
	sidebundle trace -b "$1" -o t sh -c 'echo $$ >pid.new; mv pid.new pid; cat files/*; : <files/1; read x <hold' &
	front=$!
	until [ -s pid ]; do sleep 0.02; done
	command=$(cat pid)
	watcher=$(sed -n 's/^TracerPid:[[:space:]]*//p' "/proc/$command/status")
	[ "$watcher" -ne 0 ] || watcher=$front
	# What only a whole line has; of a process that has ended, and of one that has not.
	{ has "/files/20\"" && has "/files/1\"" && has '"event":"exec"' && has "/hold\""; } || bad=1
	kill -KILL "$watcher"
	wait "$front" 2>/dev/null
	echo >&9
	while kill -0 "$command" 2>/dev/null; do sleep 0.02; done
	[ "$bad" = 0 ] && expect_match 'cut short' sidebundle show t &&
		sidebundle show --format paths t >paths && expect_files paths "$PWD"/files/{1..20} &&
		expect_match 'not whole \(it was cut short' sidebundle create --strict-validate --name cut --from-trace t
}
for backend in audit hybrid notify ptrace fanotify combined; do
	if sidebundle trace -b $backend -o t true 2>why; then
		check "$backend: what was known is in the trace" killed $backend
	else
		skip_check "$backend: what was known is in the trace" "what it needs: $(cat why)"
	fi
done

# What was told early stands no more often for it: its counts are added up.
counted() {
	sidebundle trace -b audit -o t sh -c 'for i in 1 2 3; do : <files/1; done; sleep 1; for i in 1 2; do : <files/1; done'
	expect_match '"path":"[^"]*/files/1",.*"count":5' sidebundle show --format json t &&
		[ "$(grep -c '"event":"open".*/files/1"' t)" = 2 ] && tail -n 1 t | grep -q '"lost":0'
}
check "counts go on" counted
