# The launcher's namespace mode, on bundles made by hand around a static busybox.
# shellcheck disable=SC2016,SC2154 # much of it is for the shell in the bundle
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/hand_bundle.sh"
need userns
unset XDG_CACHE_HOME

new_bundle "$PWD/b" namespace
plan set SET=ours
entry sh "$box"
entry busybox "$box"
ln "$bundle/.launcher" b/bin/replay
plan entry replay exec "$box" arg sh arg -c \
	arg 'pwd; echo "$SET $RECORDED $USER $*"; cat in; echo more >>in; cat in; eval "$MORE"' \
	arg zero arg one env RECORDED=yes env USER=recorded cwd /proj writable /proj writable /proj/sub
ln "$bundle/.launcher" b/bin/absent
plan entry absent exec /bin/absent
ln "$bundle/.launcher" b/bin/data
plan entry data exec /proj/in
mkdir -p b/payload/proj/sub b/payload/data
echo input >b/payload/proj/in
touch -d 2001-02-03 b/payload/proj/in b/payload/proj/sub b/payload/proj
end_bundle
sum=$(find b -exec stat -c '%n %s %a %Y' {} + | sort | cksum)
unchanged() { [ "$(find b -exec stat -c '%n %s %a %Y' {} + | sort | cksum)" = "$sum" ]; }

# --- what the program sees
sees_payload() {
	b/bin/busybox test -d /data && b/bin/busybox test -d /proj/sub && ! b/bin/busybox test -e /usr/bin/env &&
		! b/bin/busybox test -e /usr/lib
}
check "the payload is the root" sees_payload
# A path that is in no other place: the tests' own.
writes_here() {
	b/bin/sh -c 'echo 1 >here; echo 2 >~/home; echo 3 >"$TMPDIR/tmp"; pwd' >said &&
		[ "$(cat said here ~/home "$TMPDIR/tmp")" = "$PWD"$'\n1\n2\n3' ]
}
check "the current directory, the home and /tmp are the caller's" writes_here
binds_off() { SIDEBUNDLE_BIND=none b/bin/sh -c '[ ! -e ~/home ] && [ ! -e '"$PWD"'/here ]'; }
check "they can be turned off" binds_off
binds_one() { SIDEBUNDLE_BIND=cwd b/bin/sh -c '[ -e here ] && [ ! -e ~/home ]'; }
check "one by one" binds_one
check "a word that is none is refused" expect_match 'none of cwd, home, tmp' \
	env SIDEBUNDLE_BIND=house b/bin/sh -c :
devices() {
	b/bin/sh -c 'for d in null zero full random urandom; do [ -c /dev/$d ] || exit 1; done
		for d in pts shm fd; do [ -d /dev/$d ] || exit 2; done
		echo x >/dev/null && [ "$(head -c 2 /dev/zero | wc -c)" -eq 2 ] && echo y >/dev/shm/y &&
		[ -e /dev/ptmx ] && [ "$(echo z | cat /dev/stdin)" = z ] && [ ! -e /dev/sda ]'
}
check "a few devices are there" devices
# They lie below the root, where neither a name nor a namespace of the program's own leads.
check "this machine's mounts are out of sight" expect_output 1 b/bin/sh -c "$box awk '\$5 == \"/\"' /proc/self/mountinfo | $box wc -l"
uncovers() {
	b/bin/busybox unshare -rm "$box" sh -c "$box umount -l / 2>&1; cd / && [ -d data ] && [ ! -e usr/lib ] && echo hidden"
}
check "also to root of a user namespace of the program's" expect_match hidden uncovers
check "/proc is there" b/bin/sh -c '[ "$(cat /proc/sys/kernel/ostype)" = Linux ]'
check "the caller has a name" expect_output "$(id -u)" b/bin/sh -c 'id -u "$(id -un)"'
same_file() { [ ! -s "$1" ] || b/bin/busybox cat "$1" | cmp -s - "$1"; }
for file in /etc/resolv.conf /etc/hostname /etc/localtime; do check "$file is this machine's" same_file $file; done
check "localhost is known" expect_match localhost b/bin/busybox cat /etc/hosts
check "no capability is left" expect_output 0000000000000000 b/bin/sh -c \
	'sed -n "s/^CapEff:.//p" /proc/self/status'
check "the network is the host's" expect_output "$(wc -l </proc/net/dev)" b/bin/sh -c 'cat /proc/net/dev | wc -l'
check "SIDEBUNDLE_NET=0 cuts it off" expect_output 3 \
	env SIDEBUNDLE_NET=0 b/bin/sh -c 'cat /proc/net/dev | wc -l'
throws_away() {
	b/bin/sh -c 'echo x >/data/new && mkdir /more && rm -r /proj && mkdir /proj && ls -d /data/new /more' &&
		unchanged && b/bin/sh -c '[ ! -e /data/new ] && [ ! -e /more ] && [ -e /proj/in ]'
}
check "what is written is thrown away" throws_away
mixed() {
	mkdir -p "m/payload$HOME/tool" &&
		ln -f b/bin/sh m/bin/sh && echo payload >"m/payload$HOME/tool/file" &&
		mkdir -p ~/tool ~/other && echo host | tee ~/tool/host ~/other/host ~/plain >/dev/null &&
		m/bin/sh -c 'cat ~/tool/file ~/other/host ~/plain && [ ! -e ~/tool/host ] && touch ~/other/made' &&
		[ -e ~/other/made ]
}
new_bundle "$PWD/m" namespace
entry sh "$box"
end_bundle
check "payload files below the home stay visible" expect_output $'payload\nhost\nhost' mixed
check "and shows no mount of our own making there" expect_output 0 m/bin/sh -c "$box grep -c '/lower ' /proc/self/mountinfo; :"

# --- the process
check "the status comes through" expect_status 42 b/bin/sh -c 'exit 42'
check "a signal comes through" expect_status 143 b/bin/sh -c 'kill -TERM $$'
same_pid() {
	b/bin/sh -c 'echo $$' >pid &
	wait $! && [ "$(cat pid)" = $! ]
}
check "the process stays the one that was started" same_pid
check "it has no child that it did not make" expect_output '' b/bin/sh -c 'cat /proc/$$/task/$$/children'
descriptors() {
	[ "$(b/bin/sh -c 'cd /proc/self/fd && echo *' 7</dev/null 9>&1)" = \
		"$("$box" sh -c 'cd /proc/self/fd && echo *' 7</dev/null 9>&1)" ]
}
check "its descriptors are the caller's" descriptors
check "arguments come through" expect_output '<a b><><*>' b/bin/sh -c 'printf "<%s>" "$@"; echo' - 'a b' '' '*'
check "the environment comes through, with the bundle's own" expect_output 'mine ours' \
	env X=mine SET=theirs b/bin/sh -c 'echo $X $SET'
mask() { (umask 027 && b/bin/sh -c umask); }
check "the file mode mask too" expect_output 0027 mask
held_pipeline() {
	local start=$SECONDS
	b/bin/sh -c 'sleep 4 >/dev/null 2>&1 </dev/null & echo started' | cat >/dev/null
	[ $((SECONDS - start)) -lt 3 ]
}
check "a pipeline ends with the program" held_pipeline

# --- nothing stays behind
check "nothing stays behind" nothing_left
killed() { b/bin/sh -c 'mkdir -p /a/b && chmod 0 /a/b && chmod 555 /a && kill -9 $$'; [ $? -eq 137 ] && nothing_left; }
check "not even after SIGKILL" killed
outlived() {
	b/bin/sh -c '(sleep 1; ls /data >/dev/null && echo fine >late) >/dev/null 2>&1 & :' &&
		[ ! -e late ] && sleep 1.5 && [ "$(cat late)" = fine ] && nothing_left
}
check "a process that lives on keeps its files as long as it lives" outlived
keeps() {
	SIDEBUNDLE_WRITABLE=$PWD/kept b/bin/sh -c 'echo 1 >/data/one; rm -r /proj/sub' &&
		SIDEBUNDLE_WRITABLE=$PWD/kept b/bin/sh -c 'cat /data/one; ls /proj' && unchanged
}
check "SIDEBUNDLE_WRITABLE keeps the changes" expect_output $'1\nin' keeps
# The kernel would write out a whole file system at the end of the program (Linux 5.10 knows better).
root_options() { b/bin/sh -c 'while read -r a b c d at rest; do [ "$at" = / ] && echo "$rest"; done </proc/self/mountinfo'; }
check "what is thrown away is not synced to the disk first" expect_match 'volatile' root_options
synced() { SIDEBUNDLE_WRITABLE=$PWD/kept root_options | grep -q 'overlay' && ! SIDEBUNDLE_WRITABLE=$PWD/kept root_options | grep -q volatile; }
check "what is kept is" synced
# In a directory of which the payload has a part, what this machine has is mounted one by one.
mixed() {
	mkdir -p many && (cd many && mkdir $(seq 50) && echo in >1/file && echo plain >name && ln -s name link) || return 1
	SIDEBUNDLE_WRITABLE=$PWD/kept SIDEBUNDLE_BIND=$PWD/many=/proj b/bin/sh -c \
		'cat /proj/in /proj/1/file /proj/name /proj/link; echo out >/proj/2/file; ls -d /proj/50' &&
		cat many/2/file && ! ls kept/upper/proj/50 2>/dev/null && rm -r many
}
check "names in a mixed directory leave nothing on the disk" \
	expect_output $'input\nin\nplain\nplain\n/proj/50\nout' mixed
in_use() {
	SIDEBUNDLE_WRITABLE=$PWD/kept b/bin/sh -c 'sleep 4' &
	sleep 0.5
	SIDEBUNDLE_WRITABLE=$PWD/kept b/bin/sh -c :
	local status=$?
	kill $!
	return $status
}
check "for one run at a time" expect_status 125 in_use
check "and never in a directory with something else" expect_match 'not ours' \
	env SIDEBUNDLE_WRITABLE="$PWD" b/bin/sh -c :

# --- replay
check "a replay has the recorded directory, arguments and environment" \
	expect_output $'/proj\nours yes me one more args\ninput\ninput\nmore' \
	env USER=me MORE=: b/bin/replay more args
check "recorded variables fill in only" expect_match '^ours yes recorded one$' env -u USER MORE=: b/bin/replay
check "it sees none of the caller's directories" expect_match '^hidden$' \
	env MORE="[ -e $PWD/here ] || echo hidden" b/bin/replay
check "times stay as they were" expect_match '^2001-02-03 2001-02-03$' \
	env MORE='echo $(stat -c %y sub . | cut -d" " -f1)' b/bin/replay
check "recorded directories are the program's to write" expect_match '^written$' \
	env MORE='mkdir sub/x && rm -r sub && mv in out && touch /tmp/t "$HOME/h" && echo written' b/bin/replay
check "and stay as they were in the bundle" unchanged
several() {
	local i pids=()
	for i in 1 2 3 4 5 6 7 8; do
		MORE="echo $i >>in; sleep 0.3; tail -n 1 in" b/bin/replay >several.$i &
		pids+=($!)
	done
	wait "${pids[@]}"
	for i in 1 2 3 4 5 6 7 8; do [ "$(tail -n 1 several.$i)" = $i ] || return 1; done
}
check "several at once do not meet" several
check "nor leave anything" nothing_left

# --- failures
check "a program that is not there is 127" expect_status 127 b/bin/absent
check "the line says so" expect_match "^sidebundle: namespace mode: '/bin/absent' is not in the bundle" b/bin/absent
check "a file that is no program is 126" expect_status 126 b/bin/data
refused() { "$SB_TOOLS/lockdown" no-userns -- b/bin/sh -c 'echo ran'; }
check "no user namespaces is 125" expect_status 125 refused
check "the line names mode and remedy" \
	expect_match '^sidebundle: namespace mode: .*refuses user namespaces.*SIDEBUNDLE_RUN_MODE=host' refused
one_line() { [ "$(refused 2>&1 >/dev/null | wc -l)" -eq 1 ]; }
check "in one line" one_line
check "user namespaces without rights are told apart" expect_match \
	'^sidebundle: namespace mode: .*no rights in them .mount: Permission denied.: set SIDEBUNDLE_RUN_MODE=host' \
	"$SB_TOOLS/lockdown" no-mount -- b/bin/sh -c :
auto() { SIDEBUNDLE_RUN_MODE=auto SIDEBUNDLE_VERBOSE=1 "$@" b/bin/sh -c '[ -e /usr/bin/env ] && echo host || echo own'; }
check "auto takes namespace" expect_match '^own$' auto
check "auto takes host where it must" expect_match '^host$' auto "$SB_TOOLS/lockdown" no-userns --
check "also where they come without rights" expect_match '^host$' auto "$SB_TOOLS/lockdown" no-mount --
check "and says why" expect_match '^sidebundle: host mode .*not namespace: .*user namespaces' \
	auto "$SB_TOOLS/lockdown" no-userns --
check "a mode that is none is 125" expect_status 125 env SIDEBUNDLE_RUN_MODE=fakechroot b/bin/sh -c :
check "what failed leaves nothing" nothing_left
