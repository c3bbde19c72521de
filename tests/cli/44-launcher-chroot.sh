# The launcher's chroot mode: as root of a user namespace, with mounts and without.
# shellcheck disable=SC2016,SC2154 # much of it is for the shell in the bundle
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/hand_bundle.sh"
need userns setpriv
unset XDG_CACHE_HOME

new_bundle "$PWD/b" chroot
entry sh "$box"
ln "$bundle/.launcher" b/bin/replay
plan entry replay exec "$box" arg sh arg -c arg "pwd; $box cat in; echo more >>in; $box cat in; $box ls" \
	cwd /proj writable /proj
ln "$bundle/.launcher" b/bin/absent
plan entry absent exec /bin/absent
mkdir -p b/payload/proj b/payload/data
echo input >b/payload/proj/in
end_bundle
sum=$(find b -exec stat -c '%n %s %a %Y' {} + | sort | cksum)
unchanged() { [ "$(find b -exec stat -c '%n %s %a %Y' {} + | sort | cksum)" = "$sum" ]; }
# busybox finds its own programs by /proc, which is not always there: hence by its name.
# Root, with and without the right to mount.
full() { unshare -rm "$@"; }
bare() { unshare -r setpriv --bounding-set=-sys_admin "$@"; }

check "needs a right: 125" expect_status 125 b/bin/sh -c :
check "which it names, with the remedy" \
	expect_match '^sidebundle: chroot mode: it needs root or CAP_SYS_CHROOT .*SIDEBUNDLE_RUN_MODE=auto' b/bin/sh -c :

# --- with mounts
check "the payload is the root" expect_output $'here\nno' full b/bin/sh -c \
	'[ -d /data ] && echo here; [ -e /usr/lib ] || echo no'
writes_here() {
	full b/bin/sh -c 'echo 1 >here; echo 2 >~/home; echo 3 >"$TMPDIR/tmp"; pwd' >said &&
		[ "$(cat said here ~/home "$TMPDIR/tmp")" = "$PWD"$'\n1\n2\n3' ]
}
check "the caller's directories are the caller's" writes_here
check "/proc and devices are there" expect_output 'Linux 1' full b/bin/sh -c \
	'echo x >/dev/null && echo "$(cat /proc/sys/kernel/ostype) $(head -c 1 /dev/zero | wc -c)"'
check "a replay has its own, and writes there" expect_output $'/proj\ninput\ninput\nmore\nin' full b/bin/replay
check "root keeps its rights" expect_output "$(full sed -n 's/^Cap[EPB]..://p' /proc/self/status)" \
	full b/bin/sh -c "sed -n 's/^Cap[EPB]..://p' /proc/self/status"
check "the view is not mounted once more below /tmp" expect_output 1 full b/bin/sh -c \
	'grep -c " overlay overlay " /proc/self/mountinfo'
check "SIDEBUNDLE_NET=0 cuts it off" expect_output 3 \
	full env SIDEBUNDLE_NET=0 b/bin/sh -c 'cat /proc/net/dev | wc -l'
same_pid() {
	unshare -rm b/bin/sh -c 'echo $$' >pid &
	wait $! && [ "$(cat pid)" = $! ]
}
check "the process stays the one that was started" same_pid

# --- without
check "without mounts: the payload is the root" expect_output $'here\nno' bare b/bin/sh -c \
	'[ -d /data ] && echo here; [ -e /usr/lib ] || echo no'
check "without mounts: files of the machine" expect_output "$(cat /etc/hostname)" bare b/bin/sh -c "$box cat /etc/hostname"
check "without mounts: the caller has a name" expect_output root bare b/bin/sh -c "$box id -un"
check "without mounts: a replay writes" expect_output $'/proj\ninput\ninput\nmore\nin' bare b/bin/replay
check "without mounts: SIDEBUNDLE_NET=0 is refused" expect_status 125 bare env SIDEBUNDLE_NET=0 b/bin/sh -c :
keeps() {
	bare env SIDEBUNDLE_WRITABLE="$PWD/kept" b/bin/sh -c 'echo 1 >/data/one' &&
		bare env SIDEBUNDLE_WRITABLE="$PWD/kept" b/bin/sh -c "$box cat /data/one"
}
check "without mounts: SIDEBUNDLE_WRITABLE keeps the changes" expect_output 1 keeps
as_init() { mkdir -p init && TMPDIR=$PWD/init unshare -rpf setpriv --bounding-set=-sys_admin b/bin/sh -c 'echo "$$"'; }
check "without mounts: as process 1" expect_output 1 as_init

# --- both
for right in full bare; do
	check "$right: the status comes through" expect_status 42 $right b/bin/sh -c 'exit 42'
	check "$right: a signal comes through" expect_status 143 $right b/bin/sh -c 'kill -TERM $$'
	check "$right: a program that is not there is 127" expect_status 127 $right b/bin/absent
	check "$right: root stays root" expect_output 0 $right b/bin/sh -c "$box id -u; $box chown 0 /data"
	check "$right: nothing is changed" unchanged
done
check "nothing stays behind" nothing_left
