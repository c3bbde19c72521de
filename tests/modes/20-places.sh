# Starting where something is missing or closed: variables, directories, rights of file systems.
# shellcheck disable=SC2016,SC2154 # for the shell in the bundle
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/modes/mode.sh"
. "$SB_TESTS/cli/hand_bundle.sh"
need userns
unset XDG_CACHE_HOME

new_bundle "$PWD/b" "$SB_MODE"
entry sh "$box"
ln "$bundle/.launcher" b/bin/replay
plan entry replay exec "$box" arg sh arg -c arg './tool true && echo executed' cwd /proj writable /proj
mkdir -p b/payload/proj
cp "$box" b/payload/proj/busybox
ln -s busybox b/payload/proj/tool
printf '#!%s sh\necho executed\n' "$box" >b/payload/proj/script && chmod 755 b/payload/proj/script
ln "$bundle/.launcher" b/bin/script
plan entry script exec "$box" arg sh arg -c arg ./script cwd /proj writable /proj
mkdir b/payload/proj/bin
printf '#!%s sh\necho own\n' "$box" >b/payload/proj/bin/own-tool && chmod 755 b/payload/proj/bin/own-tool
ln "$bundle/.launcher" b/bin/path
plan entry path exec "$box" arg sh arg -c arg 'own-tool && echo "$PATH"' env PATH=/proj/bin:/bin cwd /proj writable /proj
end_bundle

fine() { "$@" "$SB_WORK/b/bin/sh" -c 'echo fine'; }
mode_check "without HOME, PATH, TMPDIR" expect_output fine fine env -u HOME -u TMPDIR PATH=
mode_check "with nothing but the mode" expect_output fine fine env -i SIDEBUNDLE_RUN_MODE="$SB_MODE"
mode_check "HOME that is not there" expect_output fine fine env HOME=/nonexistent/home
mode_check "HOME that cannot be written to" expect_output fine fine env HOME=/usr TMPDIR=/usr
mode_check "TMPDIR that is relative" expect_output fine fine env TMPDIR=tmp
mode_check "a replay's own programs, whatever PATH is here" expect_output $'own\n/proj/bin:/bin:/usr/bin' \
	env PATH=/usr/bin:/bin b/bin/path
gone() { (mkdir gone && cd gone && rmdir ../gone && fine env); }
mode_check "a directory that is gone" expect_output fine gone
closed() { (mkdir -p closed && cd closed && chmod 0 . && fine env; status=$?; chmod 700 "$SB_WORK/closed"; exit $status); }
mode_check "a directory that may not be read" expect_output fine closed
mode_check "without seccomp" expect_output fine fine "$SB_TOOLS/lockdown" no-seccomp --
mode_check "on a kernel without pidfds" expect_output fine fine "$SB_TOOLS/lockdown" no-pidfd --
elsewhere() { # SCRIPT: in it, $1 is the launcher's; mounts are its own
	unshare -rm sh -c "$1" - "$SB_WORK/b/bin/sh"
}
mode_check "without /dev/shm" expect_output fine elsewhere 'mount -t tmpfs -o mode=0,ro t /dev/shm && exec "$1" -c "echo fine"'
mode_check "without a terminal and with no standard descriptors" expect_status 9 \
	setsid -w bash -c 'exec "$0" -c "exit 9" <&- >&- 2>&-' "$SB_WORK/b/bin/sh"
# What is copied there has to be executed all the same.
noexec() { elsewhere 'for d in "$TMPDIR" "$HOME"; do mount -t tmpfs -o noexec t "$d" || exit; done; exec "${1%/*}/script"'; }
[ "$SB_MODE" = host ] || mode_check "TMPDIR and HOME mounted noexec" expect_output executed noexec
mode_check "nothing stays behind" nothing_left
