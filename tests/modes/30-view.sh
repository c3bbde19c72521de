# What is bound, and the network: what create decided, what the launch changes, each with each.
# shellcheck disable=SC2016,SC2154 # for the shell in the bundle; of hand_bundle.sh
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/modes/mode.sh"
. "$SB_TESTS/cli/hand_bundle.sh"
need userns
unset XDG_CACHE_HOME

# What is there, a word each; the places are in `machine`.
look='for word in cwd:/srv/cwd home:/srv/home tmp:/tmp bundle:/opt/own src:/srv/src other:/opt/other; do
	[ -e "${word#*:}/file" ] && echo "${word%%:*}"
done
[ "$(readlink /proc/self/ns/net)" = "$1" ] || echo cut'
bundle_with() { # NAME PLAN...
	local name=$1
	shift
	new_bundle "$PWD/$name" "$SB_MODE"
	plan "$@"
	entry sh "$box"
	plan arg sh arg -c arg "$look" arg sh
	ln "$bundle/.launcher" "$name/bin/replay"
	plan entry replay exec "$box" arg sh arg -c arg "$look" arg sh cwd /proj
	end_bundle
	mkdir -p "$name"/payload/{opt,srv,proj}
}
own=(bind /srv/src bind-at /opt/own)
bundle_with plain
bundle_with own "${own[@]}"
bundle_with no-home home no
bundle_with no-net net no
bundle_with all "${own[@]}" home no net no

# As root of a user namespace, that the places lie in nothing else that is bound.
machine() { # COMMAND...
	unshare -rm sh -c 'mount --bind "$0" /mnt && mount -t tmpfs t /srv && mount -t tmpfs t /tmp && mkdir /srv/cwd /srv/home /srv/src &&
		for d in /srv/cwd /srv/home /srv/src /tmp; do echo x >$d/file || exit; done && cd /srv/cwd && exec "$@"' "$PWD" "$@"
}
expected() { # BUNDLE ENTRY BIND NET
	local words=$3 w net=$4 seen=()
	if [ "$SB_MODE" = host ]; then
		echo cwd home tmp src
		return
	fi
	if [ "$words" = unset ]; then
		words=cwd:home:tmp:bundle
		[[ $1 = no-home || $1 = all ]] && words=cwd:tmp:bundle
		[ "$2" = replay ] && words=bundle
	fi
	for w in cwd home tmp bundle src other; do
		case $w in
		src) [[ :$words: == *:/srv/src:* ]] ;;
		other) [[ :$words: == *=/opt/other:* ]] ;;
		bundle) [[ :$words: == *:bundle:* && ($1 = own || $1 = all) ]] ;;
		*) [[ :$words: == *:$w:* ]] ;;
		esac && seen+=("$w")
	done
	[ "$net" = unset ] && net=1 && [[ $1 = no-net || $1 = all ]] && net=0
	[ "$net" = 0 ] && seen+=(cut)
	echo "${seen[*]}"
}
launches() { # BUNDLE ENTRY NET
	local bind got want bad=0 outer args
	outer=$(readlink /proc/self/ns/net)
	for bind in unset none cwd home tmp bundle cwd:home home:tmp cwd:tmp:bundle bundle:home /srv/src \
		/srv/src=/opt/other cwd:/srv/src:/srv/src=/opt/other none:tmp; do
		args=(-u TMPDIR HOME=/srv/home)
		[ "$bind" = unset ] || args+=("SIDEBUNDLE_BIND=$bind")
		[ "$3" = unset ] || args+=("SIDEBUNDLE_NET=$3")
		got=$(machine env "${args[@]}" "/mnt/$1/bin/$2" "$outer" | tr '\n' ' ')
		want=$(expected "$1" "$2" "$bind" "$3")
		[ "${got% }" = "$want" ] && continue
		echo "SIDEBUNDLE_BIND $bind, SIDEBUNDLE_NET $3: ${got:-nothing}, not $want"
		bad=1
	done
	return $bad
}
for b in plain own no-home no-net all; do
	mode_check "$b, as the bundle has it" launches $b sh unset
	mode_check "$b, a replay" launches $b replay unset
done
mode_check "no network, at launch" launches own sh 0
mode_check "nor for a replay" launches all replay 0
mode_check "a network all the same" launches all sh 1

# --- what cannot be
refused() { # ERE BIND
	local status=0
	machine env SIDEBUNDLE_BIND="$2" /mnt/plain/bin/sh x >out 2>err || status=$?
	[ "$status" -eq 125 ] && [ "$(wc -l <err)" -eq 1 ] && grep -qE "^sidebundle: $SB_MODE mode: SIDEBUNDLE_BIND: $1" err && return 0
	echo "status $status: $(cat out err)"
	return 1
}
if [ "$SB_MODE" != host ]; then
	mode_check "a word that is none" refused "'house' is none of cwd, home, tmp" house
	mode_check "what is not there" refused ".*'?/srv/absent'?.*No such file" /srv/absent
	mode_check "the root as a place" refused "nothing can be bound on '/'" /srv/src=/
	mode_check "a place in what is bound already" refused "make '/srv/cwd/new' first" cwd:/srv/src=/srv/cwd/new
fi
