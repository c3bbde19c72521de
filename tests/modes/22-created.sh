# The same machines for a bundle that create made: dynamic programs, a script, and the replay of a trace whose
# directory has a program of its own.
# shellcheck disable=SC2016 # for other shells
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/modes/mode.sh"
need userns
unset XDG_CACHE_HOME

mkdir proj
cp "$(command -v cat)" proj/tool && echo in >proj/in || exit 1
printf '#!/bin/sh\n./tool in && echo more >>in && cat in && rm in && ls\n' >proj/run && chmod +x proj/run
cp -a proj before
{ (cd proj && sidebundle trace -b audit -o ../t.trace -- ./run) && rm -r proj && cp -a before proj &&
	sidebundle create --from-trace t.trace --from-host "$(command -v cat)" --from-host "$(command -v date)" --run-mode "$SB_MODE" --name b --out-dir .; } \
	>create.log 2>&1 || { cat create.log; exit 1; }
mkdir -p above/bin above/run && printf '#!/bin/sh\necho "$0 $1"; pwd; cat ../bin/beside\n' >above/bin/script && chmod +x above/bin/script && echo beside >above/bin/beside || exit 1
{ (cd above/run && sidebundle trace -b audit -o ../../above.trace -- ../bin/script x) >above.want &&
	sidebundle create --from-trace above.trace --run-mode "$SB_MODE" --name above.b --out-dir .; } >create.log 2>&1 || { cat create.log; exit 1; }
mkdir behind && echo in >behind/in && printf '#!/bin/sh\n(sh -c "sleep 0.4; pwd; cat in" &)\n(D=$PWD; cd /; sh -c "sleep 0.8; cat $D/in && echo end" &)\nexit 4\n' >behind/leaves && chmod +x behind/leaves || exit 1
{ (cd behind && sidebundle trace -b audit --wait-all -o ../behind.trace -- ./leaves >late || true) &&
	sidebundle create --from-trace behind.trace --run-mode "$SB_MODE" --name behind.b --out-dir .; } >create.log 2>&1 || { cat create.log; exit 1; }
mv proj elsewhere && mv above above.away && mv behind behind.away
want=$'in\nin\nmore\nrun\ntool'
replay() { "$@" "$SB_WORK/b/bin/run"; }
both() { # PREFIX...: a program, and the replay, whose directory this machine lacks
	expect_output "$(cat /etc/hostname)" "$@" "$SB_WORK/b/bin/cat" /etc/hostname && expect_output "$want" replay "$@"
}
mode_check "as it is" both env
mode_check "a command that was named with '..'" expect_output "$(cat above.want)" above.b/bin/script
left_behind() {
	local status=0
	env "$@" behind.b/bin/leaves >late || status=$?
	[ "$status" -eq 4 ] || return 1
	for _ in {1..60}; do
		grep -q '^end$' late && break
		sleep 0.1
	done
	expect_output "$PWD/behind"$'\nin\nin\nend' cat late
}
mode_check "who stays behind still has its directory" left_behind
ln -s "$TMPDIR" tmp-link
mode_check "whatever TMPDIR is called" left_behind TMPDIR="$PWD/./tmp-link/"
mode_check "with nothing but the mode" both env -i SIDEBUNDLE_RUN_MODE="$SB_MODE"
if [ -f /usr/share/zoneinfo/Asia/Tokyo ]; then
	mode_check "a time zone that is asked for" expect_output "$(TZ=Asia/Tokyo date -d @0)" env TZ=Asia/Tokyo "$SB_WORK/b/bin/date" -d @0
	mode_check "by its other name" expect_output "$(TZ=Asia/Tokyo date -d @0)" env TZ=:Asia/Tokyo "$SB_WORK/b/bin/date" -d @0
else
	skip_check "a time zone that is asked for" "the zone Asia/Tokyo (tzdata)"
fi
mode_check "without HOME and TMPDIR" both env -u HOME -u TMPDIR
mode_check "an empty PATH" expect_output "$(cat /etc/hostname)" env PATH= "$SB_WORK/b/bin/cat" /etc/hostname
mode_check "HOME that cannot be written to" both env HOME=/usr TMPDIR=/usr
gone() { (mkdir gone && cd gone && rmdir ../gone && both env); }
mode_check "from a directory that is gone" gone
mode_check "without seccomp" both "$SB_TOOLS/lockdown" no-seccomp --
mode_check "without pidfds" both "$SB_TOOLS/lockdown" no-pidfd --
case $SB_MODE in host | chroot) mode_check "without user namespaces" both "$SB_TOOLS/lockdown" no-userns -- ;; esac

on() { # SETUP COMMAND...: as root of a user namespace, mounts of its own
	local setup=$1
	shift
	unshare -rm sh -c "$setup; exec \"\$@\"" - "$@"
}
no_proc='mount -t tmpfs t /proc && cd /'
if [ "$SB_MODE" = bwrap ]; then
	mode_check "without /proc" expect_match "^sidebundle: bwrap mode: .*'/proc/self/exe' \\(is /proc mounted\\?\\)" \
		replay on "$no_proc"
else
	mode_check "without /proc" both on "$no_proc"
fi
mode_check "without /dev/shm" both on 'mount -t tmpfs -o mode=0,ro t /dev/shm'
noexec='for d in "$TMPDIR" "$HOME"; do mount -t tmpfs -o noexec t "$d" || exit; done'
mode_check "TMPDIR and HOME mounted noexec" both on "$noexec"
# Where nothing can be executed, and nothing mounted over it, there is no way.
nowhere="$noexec; for d in /var/tmp /dev/shm; do mount -t tmpfs -o noexec t \$d; done; mount --bind \"\$PWD/b\" /mnt; mount -t tmpfs -o noexec t /tmp"
case $SB_MODE in
host | bwrap)
	nothing_works() {
		local status=0
		on "$nowhere" /mnt/bin/run >out 2>err || status=$?
		[ "$status" -eq 125 ] && [ "$(wc -l <err)" -eq 1 ] &&
			grep -qE "^sidebundle: $SB_MODE mode: no room .*\\(set TMPDIR\\): nothing in .* may be executed \\(mounted noexec\\)" err ||
			{ cat out err; return 1; }
	}
	mode_check "all places mounted noexec: told" nothing_works
	;;
*) mode_check "all places mounted noexec" expect_output "$want" on "$nowhere" /mnt/bin/run ;;
esac
crowd() {
	local i pids=() bad=0
	for i in {1..6}; do
		({ [ "$("$SB_WORK/b/bin/run")" = "$want" ]; }) &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || bad=1; done
	return $bad
}
mode_check "many replays at once" crowd
mode_check "the bundle is as it was" expect_status 0 sidebundle verify b
. "$SB_TESTS/cli/hand_bundle.sh"
mode_check "nothing stays behind" nothing_left
