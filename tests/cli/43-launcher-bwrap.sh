# The launcher's bwrap mode, where it is unlike namespace mode: another program in between.
# shellcheck disable=SC2016,SC2154 # much of it is for the shell in the bundle
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/hand_bundle.sh"
need userns bwrap
unset XDG_CACHE_HOME

new_bundle "$PWD/b" bwrap
entry sh "$box"
ln "$bundle/.launcher" b/bin/replay
plan entry replay exec "$box" arg sh arg -c arg 'pwd; cat in; echo more >>in; cat in; ls sub' \
	cwd /proj writable /proj
ln "$bundle/.launcher" b/bin/absent
plan entry absent exec /bin/absent
mkdir -p b/payload/proj/sub b/payload/data
echo input >b/payload/proj/in
end_bundle
sum=$(find b -exec stat -c '%n %s %a %Y' {} + | sort | cksum)
unchanged() { [ "$(find b -exec stat -c '%n %s %a %Y' {} + | sort | cksum)" = "$sum" ]; }

# --- the view
check "the payload is the root" expect_output $'here\nyes\nno' b/bin/sh -c \
	'[ -d /data ] && echo here; [ -d /proj/sub ] && echo yes; [ -e /usr/lib ] || echo no'
check "its files are read-only" expect_output 0 b/bin/sh -c 'echo x 2>/dev/null >/proj/in; grep -c x /proj/in; :'
writes_here() {
	b/bin/sh -c 'echo 1 >here; echo 2 >~/home; echo 3 >"$TMPDIR/tmp"; pwd' >said &&
		[ "$(cat said here ~/home "$TMPDIR/tmp")" = "$PWD"$'\n1\n2\n3' ]
}
check "the caller's directories are the caller's" writes_here
check "a replay has its own, and writes there" expect_output $'/proj\ninput\ninput\nmore' b/bin/replay
check "which is thrown away" unchanged
check "/dev/shm is for everybody" expect_output 1777 b/bin/sh -c 'stat -c %a /dev/shm'
check "the network is the host's" expect_output "$(wc -l </proc/net/dev)" b/bin/sh -c 'cat /proc/net/dev | wc -l'
check "SIDEBUNDLE_NET=0 cuts it off" expect_output 3 \
	env SIDEBUNDLE_NET=0 b/bin/sh -c 'cat /proc/net/dev | wc -l'
keeps() {
	local i
	SIDEBUNDLE_WRITABLE=$PWD/kept b/bin/sh -c 'echo 1 >/one; wc -l </proc/self/mountinfo' >first
	for i in 1 2 3; do
		SIDEBUNDLE_WRITABLE=$PWD/kept b/bin/sh -c 'cat /one; wc -l </proc/self/mountinfo' >next || return 1
	done
	[ "$(cat next)" = "1"$'\n'"$(cat first)" ]
}
check "SIDEBUNDLE_WRITABLE keeps the changes, and no mount point" keeps

# --- the process: what bubblewrap in between would change
check "the status comes through" expect_status 42 b/bin/sh -c 'exit 42'
ends_by() { # SIGNAL: of the process that was started, as whoever started it sees
	python3 -c 'import subprocess, sys; print(-subprocess.run(sys.argv[1:]).returncode)' \
		b/bin/sh -c "kill -$1 \$\$"
}
if command -v python3 >/dev/null; then
	check "it ends of the signal that ended the program" expect_output 15 ends_by TERM
	check "whatever signal that is" expect_output 9 ends_by KILL
else
	skip_check "it ends of the signal that ended the program" "the program python3 is missing"
fi
started() { # waits for a line in FILE
	local i
	for i in {1..200}; do [ -s "$1" ] && return 0; sleep 0.05; done
	return 1
}
passes_on() { # SIGNAL
	rm -f ready got
	b/bin/sh -c "trap 'echo $1 >got; exit 7' $1; echo x >ready; while :; do sleep 0.05; done" &
	local pid=$! status=0
	started ready && kill -"$1" $pid
	wait $pid || status=$?
	[ "$status" -eq 7 ] && [ "$(cat got)" = "$1" ]
}
# Not INT and QUIT: a shell without job control has its background ignore them.
for name in TERM HUP USR1 CONT; do check "$name reaches the program" passes_on $name; done
state_is() { # PID STATE
	local i
	for i in {1..200}; do
		grep -q "^State:.$2" "/proc/$1/status" 2>/dev/null && return 0
		sleep 0.05
	done
	cat "/proc/$1/status"
	return 1
}
stops() {
	local pid
	rm -f inner
	b/bin/sh -c 'echo $$ >inner; while :; do sleep 0.05; done' &
	pid=$!
	started inner && kill -TSTP "$(cat inner)" && state_is $pid T && state_is "$(cat inner)" T &&
		kill -CONT $pid && state_is $pid S && state_is "$(cat inner)" S
	local status=$?
	kill -9 $pid
	wait $pid
	[ "$status" -eq 0 ] && state_is "$(cat inner)" Z || [ ! -e "/proc/$(cat inner)" ]
}
check "it stops and goes on with the program, and SIGKILL takes both" stops
check "argv[0] is the caller's" expect_output /odd/sh bash -c 'exec -a /odd/sh b/bin/sh -c "echo \$0"'
descriptors() {
	[ "$(b/bin/sh -c 'cd /proc/self/fd && echo *' 7</dev/null 9>&1)" = \
		"$("$box" sh -c 'cd /proc/self/fd && echo *' 7</dev/null 9>&1)" ]
}
check "its descriptors are the caller's" descriptors
closed() {
	[ "$(b/bin/sh -c 'cd /proc/self/fd && echo *' <&- 2>&-)" = "$("$box" sh -c 'cd /proc/self/fd && echo *' <&- 2>&-)" ]
}
check "also those that are not open" closed
check "environment and directory are the caller's" expect_output "$PWD $PWD mine" \
	env X=mine b/bin/sh -c 'echo "$PWD $(pwd) $X"'
new_bundle "$PWD/e" bwrap
entry env "$box"
end_bundle
check "nothing is added to the environment" expect_output 'A=1' env -i A=1 "$PWD/e/bin/env"
check "the mask too" expect_output 0027 bash -c 'umask 027; b/bin/sh -c umask'
new_bundle "$PWD/g" bwrap
entry grep "$box"
end_bundle
check "ignored signals stay ignored, SIGCHLD too" expect_output "$(trap '' CHLD INT; grep SigIgn /proc/self/status)" \
	bash -c "trap '' CHLD INT; g/bin/grep SigIgn /proc/self/status"
closes() { # an end of a pipe that the program closed is closed
	b/bin/sh -c 'exec >&-; while [ ! -e seen ]; do sleep 0.05; done' | {
		cat
		touch seen
	}
}
check "what the program closes is closed" timeout 20 bash -c "$(declare -f closes); closes"
check "it has no child that it did not make" expect_output '' b/bin/sh -c 'cat /proc/$$/task/$$/children'
check "no capability is left" expect_output 0000000000000000 b/bin/sh -c 'sed -n "s/^CapEff:.//p" /proc/self/status'
several() {
	local i pids=()
	for i in 1 2 3 4 5 6 7 8; do
		b/bin/sh -c "echo $i" >several.$i &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in 1 2 3 4 5 6 7 8; do [ "$(cat several.$i)" = $i ] || return 1; done
}
check "several at once" several
check "inside itself" expect_output deep b/bin/sh -c "PATH=$PATH; SIDEBUNDLE_RUN_MODE=namespace $PWD/b/bin/sh -c 'echo deep'"
as_init() { unshare -rpf --mount-proc b/bin/sh -c 'echo fine; exit 3'; }
check "as process 1" expect_status 3 as_init
check "as root of a user namespace: with all of its rights" expect_output fine \
	unshare -rm b/bin/sh -c 'mount -t tmpfs t /data && echo fine'
check "nothing stays behind" nothing_left

# --- failures
check "a program that is not there is 127" expect_status 127 b/bin/absent
check "the line says so" expect_match "^sidebundle: bwrap mode: '/bin/absent' is not in the bundle" b/bin/absent
check "a bwrap that is none is 125" expect_status 125 env SIDEBUNDLE_BWRAP=/none b/bin/sh -c :
check "the line names it" expect_match "^sidebundle: bwrap mode: SIDEBUNDLE_BWRAP: '/none' is no program" \
	env SIDEBUNDLE_BWRAP=/none b/bin/sh -c :
check "one that fails is 125" expect_status 125 env SIDEBUNDLE_BWRAP=/bin/false b/bin/sh -c :
check "by a relative name, or one in PATH" expect_output fine \
	env SIDEBUNDLE_BWRAP=bwrap b/bin/sh -c 'echo fine'
relative() { ln -s "$(command -v bwrap)" own-bwrap && SIDEBUNDLE_BWRAP=./own-bwrap b/bin/sh -c 'echo fine'; }
check "relative to the caller's directory" expect_output fine relative
refused() { "$SB_TOOLS/lockdown" no-userns -- b/bin/sh -c :; }
check "no user namespaces is 125" expect_status 125 refused
check "the line has bubblewrap's own words, and the remedy" \
	expect_match '^sidebundle: bwrap mode: .*bwrap.* failed: .*namespace.*SIDEBUNDLE_RUN_MODE=auto' refused
one_line() { [ "$(refused 2>&1 >/dev/null | wc -l)" -eq 1 ]; }
check "in one line" one_line
many_binds() {
	mkdir -p many "m/payload$PWD/many" m/payload/tmp && echo x >"m/payload$PWD/many/file"
	(cd many && touch {1..3100})
	(cd many && SIDEBUNDLE_BIND=$PWD ../m/bin/sh -c :)
}
new_bundle "$PWD/m" bwrap
entry sh "$box"
end_bundle
check "a view that bubblewrap would not take is refused" expect_match 'more than bubblewrap reads' many_binds
check "what failed leaves nothing" nothing_left
