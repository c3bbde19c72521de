# A bundle as a container's entry point: process 1, root without most of its rights, in every mode that the
# container grants.
# slow
# right: sys_admin
# timeout: 400
# shellcheck disable=SC2016,SC2154 # for the shell in the bundle; of hand_bundle.sh
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/hand_bundle.sh"
need userns podman busybox
. "$SB_TESTS/cli/podman.sh"

# An image that has the bundle, and of a system as little as a container can have.
mkdir -p image/{etc,proc,sys,dev,tmp,run,bundle}
echo root:x:0:0::/:/bin/sh >image/etc/passwd
new_bundle "$PWD/image/bundle" host
entry sh "$box"
plan arg sh
entry_with_libs cat "$(command -v cat)"
mkdir -p image/bundle/payload/opt && echo payload >image/bundle/payload/opt/file
end_bundle
import_box /bundle/bin/sh -c :

boxed() { # MODE OPTIONS ARGUMENT...: an entry's name, and what it is given
	local mode=$1 options=$2 entry=$3
	shift 3
	# shellcheck disable=SC2086 # several words
	pod -- "${run[@]}" $options -e SIDEBUNDLE_RUN_MODE="$mode" -e HOME=/ --entrypoint "/bundle/bin/$entry" localhost/box "$@"
}
says() { # MODE OPTIONS: the same in each
	local status=0
	expect_output payload boxed "$1" "$2" sh -c 'cat /opt/file 2>/dev/null || cat /bundle/payload/opt/file' || return 1
	expect_output 'fine 1' boxed "$1" "$2" sh -c 'echo "fine $$"' || return 1
	boxed "$1" "$2" sh -c 'exit 42' || status=$?
	[ "$status" -eq 42 ] || { echo "status $status"; return 1; }
	status=0
	boxed "$1" "$2" sh -c 'kill -TERM $$; exit 5' || status=$? # No default action for process 1.
	[ "$status" -eq 5 ] || { echo "TERM to itself: status $status"; return 1; }
	expect_output "$(echo data)" boxed "$1" "$2 -i" cat <<<data
}
refuses() { # ERE MODE OPTIONS
	local status=0
	boxed "$2" "$3" sh -c : >out 2>err || status=$?
	[ "$status" -eq 125 ] && grep -qE "^sidebundle: $2 mode: .*$1" err && return 0
	echo "status $status: $(cat err)"
	return 1
}
check "host mode, the default profile" says host ""
check "host mode, without any right" says host "--cap-drop=all"
check "host mode, read-only" says host "--read-only"
check "chroot mode, the default profile" says chroot ""
check "chroot mode, with all rights" says chroot "--privileged"
check "chroot mode, without the right: 125" refuses 'needs root or CAP_SYS_CHROOT' chroot "--cap-drop=all"
# Profiles differ from version to version: this one refuses what many do.
echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["unshare"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}' >profile
strict="--security-opt seccomp=$PWD/profile"
check "namespace mode, a profile that refuses it: 125" refuses 'SIDEBUNDLE_RUN_MODE=host.*seccomp profile' namespace "$strict"
either() { boxed namespace "" sh -c : 2>/dev/null && says namespace "" || refuses 'SIDEBUNDLE_RUN_MODE=host' namespace ""; }
check "namespace mode, the default profile: works, or says why not" either
check "namespace mode, with all rights" says namespace "--privileged"
check "bwrap mode, without bubblewrap: 125" refuses "'bwrap' is not installed" bwrap ""
check "auto takes what the profile grants" expect_match 'host mode .*: not namespace: ' \
	boxed auto "$strict -e SIDEBUNDLE_VERBOSE=1" sh -c :
check "and more where there is more" expect_match 'namespace mode ' boxed auto "--privileged -e SIDEBUNDLE_VERBOSE=1" sh -c :
check "a volume is seen" expect_output data bash -c 'echo data >volume; '"$(declare -f boxed pod)"'
	'"$(declare -p run CONTAINERS_CONF)"'; boxed host "-v $PWD/volume:/srv/volume:ro" cat /srv/volume'
