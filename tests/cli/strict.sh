# What the cases of backends that see every system call share; source it after lib.sh.
#
#	nobody COMMAND-LINE	nobody of this account runs it any more, give or take a moment
#	seen TRACE PATH		the trace has the path, as it was named
#	hold_privileges BACKEND	checks: what it does about io_uring, and set-id programs
#	hold_death BACKEND	checks: its tracer is killed, and the command with it; the trace says so
#	hold_saved BACKEND	check: its tracer is killed, and what was known a moment before is in the trace
#	hold_daemons BACKEND	checks: who lives on is noted in daemon.trace, and lives, or is waited for
nobody() {
	for ((i = 0; i < 50; i++)); do
		pgrep -u "$(id -u)" -fx "$1" >/dev/null || return 0
		sleep 0.1
	done
	pgrep -a -u "$(id -u)" -fx "$1"
	return 1
}

# The program falls back; or it is let, and the trace says so.
_uring() { # BACKEND refuse|allow
	local trace=uring-$2.trace
	rm -rf rings && mkdir rings
	sidebundle trace -b "$1" --io-uring="$2" -o "$trace" "$SB_TARGETS/uring" "$PWD/rings" >/dev/null 2>&1 || return 1
	case $2 in
	refuse) ! tail -n 1 "$trace" | grep -q io_uring ;;
	allow) tail -n 1 "$trace" | grep -q io_uring ;;
	esac
}

hold_privileges() {
	local setid p name="a set-id program is noted, with the way out"
	check "io_uring is refused, and nothing goes unseen" _uring "$1" refuse
	if grep -qx 0 /proc/sys/kernel/io_uring_disabled 2>/dev/null; then
		check "or allowed, and noted" _uring "$1" allow
	else
		skip_check "or allowed, and noted" "io_uring on this machine"
	fi
	[ "$(id -u)" -ne 0 ] || return 0
	for p in /usr/bin/{su,newgrp,gpasswd,mount,chage}; do
		test -u "$p" && setid=$p && break
	done
	if [ -n "${setid:-}" ]; then
		check "$name" expect_match "^sidebundle: .*$setid \\(privilege-lost\\).*-b audit" \
			sidebundle trace -b "$1" -o setid.trace "$setid" --help
	else
		skip_check "$name" "a program with that bit on this machine"
	fi
}

seen() {
	sidebundle show --format paths --as-named "$1" | grep -qxF "$2" || {
		echo "not in $1: $2"
		return 1
	}
}

_outlive() { # BACKEND: hands out a daemon that opens a file when the trace has ended
	rm -f went go
	sidebundle trace -b "$1" -o daemon.trace sh -c \
		'setsid sh -c "until [ -e go ]; do sleep 0.1; done; cat /etc/passwd >went.new && mv went.new went" \
			>/dev/null 2>&1 &' 2>daemon.err
	grep -q 'still running' daemon.err || { cat daemon.err; return 1; }
	: >go
	for ((i = 0; i < 50; i++)); do
		[ -s went ] && return 0
		sleep 0.1
	done
	return 1
}

_waited() { # BACKEND
	rm -f went
	sidebundle trace -b "$1" --wait-all -o waited.trace sh -c \
		'setsid sh -c "sleep 0.5; cat /etc/passwd >went" >/dev/null 2>&1 &' && [ -s went ] &&
		seen waited.trace /etc/passwd
}

hold_daemons() {
	check "what lives on is noted, and lives" _outlive "$1"
	check "or waited for" _waited "$1"
}

# Tracees without their tracer could open nothing: they end with it.
_ends() { # BACKEND
	rm -f pid
	sidebundle trace -b "$1" -o cut.trace sh -c 'echo $$ >pid.new; mv pid.new pid; exec sleep 81.7' &
	local front=$! watcher
	until [ -s pid ]; do sleep 0.02; done
	watcher=$(sed -n 's/^TracerPid:[[:space:]]*//p' "/proc/$(cat pid)/status")
	kill -KILL "$watcher"
	wait "$front" 2>/dev/null
	[ $? -eq 125 ] && nobody 'sleep 81.7' &&
		expect_match 'cut short: the tracer was killed \(2.*\), and the command with it' sidebundle show cut.trace &&
		tail -n 1 cut.trace | grep -qE '^\{"died":[0-9]+\}$' &&
		expect_match '\(died, 1 times\)' sidebundle show --log-level info cut.trace
}
hold_death() {
	check "the watcher is killed, and the command with it" _ends "$1"
}

_in_file() { # TRACE TEXT: within ten seconds, though nothing more happens
	for ((i = 0; i < 200; i++)); do
		grep -qF -- "$2" "$1" && return 0
		sleep 0.05
	done
	echo "not in the trace: $2"
	tail -n 3 "$1"
	return 1
}
# The command has opened its files, and stays: it waits at a pipe that nobody else knows of.
_saved() { # BACKEND
	local front watcher command bad=0
	rm -rf saved.trace saved && mkdir saved && touch saved/{1..20} && mkfifo saved/hold
	exec 9<>saved/hold
	sidebundle trace -b "$1" -o saved.trace sh -c \
		'echo $$ >saved/pid.new; mv saved/pid.new saved/pid; cat saved/*[0-9]; : <saved/1; read x <saved/hold' &
	front=$!
	until [ -s saved/pid ]; do sleep 0.02; done
	command=$(cat saved/pid)
	watcher=$(sed -n 's/^TracerPid:[[:space:]]*//p' "/proc/$command/status")
	[ "$watcher" -ne 0 ] || watcher=$front
	# With what only a whole line has; of a process that has ended, and of one that has not.
	{ _in_file saved.trace '/saved/9"' && _in_file saved.trace '/saved/1"' && _in_file saved.trace '"event":"exec"'; } || bad=1
	kill -KILL "$watcher"
	wait "$front" 2>/dev/null
	echo >&9
	exec 9>&-
	while kill -0 "$command" 2>/dev/null; do sleep 0.02; done
	[ "$bad" = 0 ] && expect_match 'cut short' sidebundle show saved.trace &&
		sidebundle show --format paths saved.trace >paths && expect_files paths "$PWD"/saved/{1..20} &&
		expect_match 'not whole \(it was cut short' sidebundle create --strict-validate --name cut --from-trace saved.trace
}
hold_saved() {
	check "$1: what was known is in the trace of who is killed" _saved "$1"
}
