# What create decides of the view: --bind, --no-home, --no-net, and what the launch changes again.
# shellcheck disable=SC2016 # for the shell in the bundle
. "$SB_TESTS/cli/lib.sh"
need userns busybox
box=$(realpath "$(command -v busybox)")
[ -d /var/lib/misc ] || skip "/var/lib/misc is missing"
mkdir data && echo payload >data/file

make_bundle() { # NAME OPTION...
	local name=$1
	shift
	sidebundle create --from-host "$box" --run-mode namespace --out-dir . --name "$name" "$@" >"$name.log" 2>&1 ||
		{ cat "$name.log"; return 1; }
}
check "create takes them" make_bundle b --bind "$PWD/data:/opt/data" --bind /etc/hostname:/opt/name --no-home --no-net
check "a directory, elsewhere" expect_output payload b/bin/busybox cat /opt/data/file
check "a file" expect_output "$(cat /etc/hostname)" b/bin/busybox cat /opt/name
# A home that no other directory shows: the tests' own lies below /tmp.
has_home() { HOME=/var/lib "$@" b/bin/busybox test -e /var/lib/misc; }
check "no home" expect_status 1 has_home env
check "unless asked for" has_home env SIDEBUNDLE_BIND=home
check "then nothing else" expect_status 1 env SIDEBUNDLE_BIND=home b/bin/busybox test -e /opt/data
check "but by its name" expect_output payload env SIDEBUNDLE_BIND=home:bundle b/bin/busybox cat /opt/data/file
check "a pair at launch" expect_output payload env SIDEBUNDLE_BIND="$PWD/data=/mnt" b/bin/busybox cat /mnt/file
lines() { "$@" b/bin/busybox cat /proc/net/dev | wc -l; }
check "no network" expect_output 3 lines env
check "unless asked for" expect_output "$(wc -l </proc/net/dev)" lines env SIDEBUNDLE_NET=1
if command -v bwrap >/dev/null; then
	check "bwrap: the same" expect_output payload env SIDEBUNDLE_RUN_MODE=bwrap b/bin/busybox cat /opt/data/file
	check "bwrap: no network" expect_output 3 lines env SIDEBUNDLE_RUN_MODE=bwrap
	check "bwrap: no home" expect_status 1 has_home env SIDEBUNDLE_RUN_MODE=bwrap
else
	skip_check "bwrap" "the program bwrap is missing"
fi
check "chroot: the same" expect_output payload \
	unshare -rm env SIDEBUNDLE_RUN_MODE=chroot b/bin/busybox cat /opt/data/file
device() { SIDEBUNDLE_BIND=/dev/null=/dev/own b/bin/busybox stat -c %F /dev/own; }
check "a device beside the others" expect_output 'character special file' device
gone() { mv data moved && b/bin/busybox true; }
check "what is not there is 125" expect_status 125 gone
check "and named" expect_match "^sidebundle: namespace mode: the bundle's --bind: .*/data" b/bin/busybox true
check "relative: 2" expect_status 2 sidebundle create --from-host "$box" --out-dir . --bind data
check "with ..: 2" expect_status 2 sidebundle create --from-host "$box" --out-dir . --bind /a/../b
check "onto /: 2" expect_status 2 sidebundle create --from-host "$box" --out-dir . --bind /srv:/
check "in host mode it says that they mean nothing" expect_match 'mean nothing in host mode' \
	sidebundle create --from-host "$box" --out-dir . --name h --no-net
