# What a launcher says where a mode is refused is what doctor says of that mode there, word by word: the
# mode, the reason, the remedy, in one line; and what doctor calls usable works.
# shellcheck disable=SC2016,SC2154 # for other shells; of hand_bundle.sh
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/hand_bundle.sh"
need python3
unset XDG_CACHE_HOME

new_bundle "$PWD/b" host
entry sh "$box"
end_bundle

told() { # MODE: usable or not, and why not, of doctor's JSON on stdin
	python3 -c '
import json, sys
for mode in json.load(sys.stdin)["run_modes"]:
    if mode["name"] == sys.argv[1]:
        print("yes" if mode["usable"] else mode["why"])' "$1"
}
remedy='SIDEBUNDLE_RUN_MODE=|SIDEBUNDLE_BWRAP'
agrees() { # MODE PREFIX...
	local mode=$1 why status=0
	shift
	why=$("$@" sidebundle doctor --format json 2>doctor.err | told "$mode") || return 1
	SIDEBUNDLE_RUN_MODE=$mode "$@" b/bin/sh -c 'echo fine' >out 2>err || status=$?
	case $why in
	'') echo "doctor does not know $mode" ;;
	yes) [ "$status" -eq 0 ] && [ "$(cat out)" = fine ] && return 0 ;;
	*)
		[ "$status" -eq 125 ] && [ ! -s out ] && grep -qE "$remedy" err &&
			[ "$(cat err)" = "sidebundle: $mode mode: $why" ] && return 0
		;;
	esac
	echo "status $status, doctor: $why"
	cat out err
	return 1
}
# `auto` takes what doctor takes, and tells why not the stricter one in doctor's words.
agrees_on_auto() { # PREFIX...
	local auto why
	auto=$("$@" sidebundle doctor --format json | python3 -c 'import json, sys; print(json.load(sys.stdin)["auto_run_mode"])')
	why=$("$@" sidebundle doctor --format json | told namespace)
	[ "$why" = yes ] && why= || why=": not namespace: $why"
	SIDEBUNDLE_VERBOSE=1 SIDEBUNDLE_RUN_MODE=auto "$@" b/bin/sh -c : 2>err || return 1
	[ "$(cat err)" = "sidebundle: $auto mode (by SIDEBUNDLE_RUN_MODE)$why" ] && return 0
	echo "doctor: $auto$why"
	cat err
	return 1
}
no_more() { # No user namespace beside the one that we are in.
	unshare -r sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all "$@"' - "$@"
}
as_other_user() { # Who is root of a namespace may do what root may, but for what it takes from itself.
	unshare -r setpriv --bounding-set=-all "$@"
}
pathless() { # PROGRAM ARGUMENT...
	local program
	program=$(command -v "$1") && shift && PATH='' "$program" "$@"
}
confined() { bwrap --dev-bind / / --unshare-user --cap-drop ALL "$@"; }

machines=("as it is|env" "no user namespaces|$SB_TOOLS/lockdown no-userns --" "no rights in them|$SB_TOOLS/lockdown no-mount --"
	"a bwrap that is none|env SIDEBUNDLE_BWRAP=/none" "a bwrap that fails|env SIDEBUNDLE_BWRAP=/bin/false"
	"no bwrap that PATH knows|env SIDEBUNDLE_BWRAP=no-such-bwrap" "no PATH|pathless" "no seccomp|$SB_TOOLS/lockdown no-seccomp --"
	"no pidfds|$SB_TOOLS/lockdown no-pidfd --")
if has_userns; then
	machines+=("root of a user namespace|unshare -rm" "no user namespace more|no_more" "root without rights|as_other_user")
	command -v bwrap >/dev/null && machines+=("within bwrap|confined")
else
	skip_check "in a user namespace" "user namespaces are refused here"
fi
for machine in "${machines[@]}"; do
	read -ra prefix <<<"${machine#*|}"
	for mode in host namespace bwrap chroot; do
		check "${machine%%|*}: $mode" agrees $mode "${prefix[@]}"
	done
	check "${machine%%|*}: auto" agrees_on_auto "${prefix[@]}"
done
if has_userns && as_other_user sidebundle doctor | grep -qE '^namespace +no '; then # Linux 5.12
	check "root without rights: it is told which one it lacks" expect_match 'root .* CAP_SETFCAP .*: set SIDEBUNDLE_RUN_MODE=host' \
		as_other_user env SIDEBUNDLE_RUN_MODE=namespace b/bin/sh -c :
fi
