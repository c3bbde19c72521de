# timeout: 900
# Programs x machines, in one run mode: each replays as it was, on this machine and on others.
# shellcheck disable=SC2154 # programs.sh
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/modes/mode.sh"
. "$SB_TESTS/modes/programs.sh"

# --- machines
# busybox and musl's dynamic linker, nothing else.
make_musl() {
	local loader
	loader=$(find /lib /usr/lib -maxdepth 3 -path '*linux-musl*' -name libc.so 2>/dev/null | head -n 1)
	[ -n "$loader" ] && command -v busybox >/dev/null || return 1
	mkdir -p "$SB_WORK/musl/bin" "$SB_WORK/musl/lib" "$SB_WORK/musl/etc"
	cp "$loader" "$SB_WORK/musl/lib/ld-musl-$(uname -m).so.1" && cp "$(command -v busybox)" "$SB_WORK/musl/bin/" &&
		ln -s busybox "$SB_WORK/musl/bin/sh"
}
machines=(here bare)
"$SB_TOOLS/enter" --probe 2>/dev/null || machines=(here)
[ ${#machines[@]} -eq 1 ] || for root in bullseye trixie sid; do
	[ ! -d "$SB_ROOTS/$root" ] || machines+=("$root")
done
[ ${#machines[@]} -eq 1 ] || ! make_musl || machines+=(musl)

# bubblewrap for machines that have none: a bundle itself, whose libraries alone are redirected.
extra=()
if [ "$SB_MODE" = bwrap ]; then
	. "$SB_TESTS/cli/hand_bundle.sh"
	new_bundle "$SB_WORK/bubble" host
	entry_with_libs bwrap "$(command -v bwrap)"
	end_bundle
	extra=(--ro-bind "$SB_WORK/bubble" /bubble)
fi

on_machine() { # MACHINE ENTRY
	local -a options=(${extra[@]+"${extra[@]}"})
	case $1 in
	here)
		"$bundle/bin/$2"
		return
		;;
	musl) options+=(--root "$SB_WORK/musl") ;;
	*) options+=(--root "$SB_ROOTS/$1") ;;
	esac
	# Rights there are those of root in a user namespace.
	[ "$SB_MODE" != chroot ] || options+=(--as-root)
	[ "$SB_MODE" != bwrap ] || local -x SIDEBUNDLE_BWRAP=/bubble/bin/bwrap
	"$SB_TOOLS/enter" "${options[@]}" --ro-bind "$bundle" /bundle -- "/bundle/bin/$2"
}

# --- programs
fresh() {
	chmod -R u+w "$SB_WORK/project" 2>/dev/null
	rm -rf "$SB_WORK/project"
	mkdir "$SB_WORK/project" && cd "$SB_WORK/project" && "prepare_$1"
}

make_bundle() { # PROGRAM COMMAND...
	local name=$1
	shift
	rm -rf "$SB_WORK/$name" && mkdir "$SB_WORK/$name" || return 1
	bundle=$SB_WORK/$name/b
	fresh "$name" && _capture "$SB_WORK/$name/here" "$@" || return 1
	[ -s "$SB_WORK/$name/here.out" ] || { echo "it prints nothing"; cat "$SB_WORK/$name/here.err"; return 1; }
	# By the system calls where that is allowed: so nothing is missed.
	fresh "$name" && sidebundle trace -b notify -o "$SB_WORK/$name/trace" -- "$@" >/dev/null 2>&1 </dev/null
	local -n more="create_${name//-/_}"
	sidebundle create --from-trace "$SB_WORK/$name/trace" --name b --out-dir "$SB_WORK/$name" ${more[@]+"${more[@]}"} \
		>"$SB_WORK/$name/log" 2>&1 || { cat "$SB_WORK/$name/log"; return 1; }
	chmod -R a-w "$bundle"
}

replays() { # PROGRAM MACHINE ENTRY
	local part bad=0
	fresh "$1"
	_capture "$SB_WORK/$1/there" on_machine "$2" "$3"
	for part in status out err; do
		cmp -s "$SB_WORK/$1/here.$part" "$SB_WORK/$1/there.$part" && continue
		echo "$part differs (- original, + $SB_MODE mode, $2):"
		diff -u "$SB_WORK/$1/here.$part" "$SB_WORK/$1/there.$part" | head -n 20
		bad=1
	done
	return $bad
}

row() { # PROGRAM COMMAND...
	local name=$1 machine line before
	shift
	if ! command -v "$1" >/dev/null && [[ $1 != */* ]]; then
		skip_check "$name" "the program $1 is missing"
		return
	fi
	check "$name: bundled" make_bundle "$name" "$@"
	line=$(printf '%-10s %-10s' "$SB_MODE" "$name")
	for machine in "${machines[@]}"; do
		before=$_failed
		_failed=0
		mode_check "$name: $machine" replays "$name" "$machine" "${1##*/}"
		case $_failed$(tail -n 1 "$SB_RESULTS" | cut -f1) in
		0pass) line+=$(printf ' %-9s' same) ;;
		0skip) line+=$(printf ' %-9s' known) ;;
		*) line+=$(printf ' %-9s' DIFFERS) ;;
		esac
		[ "$_failed" -ne 0 ] || _failed=$before
	done
	[ "$name" != ls ] || for machine in "${machines[@]}"; do check "the mode: $machine" says_mode "$machine"; done
	echo "table: $line"
	cd "$SB_WORK" && chmod -R u+w "$name" && rm -rf "$SB_WORK/$name"
}

# The mode is what it says: seen from outside.
says_mode() { SIDEBUNDLE_VERBOSE=1 on_machine "$1" ls 2>&1 >/dev/null | grep -q "^sidebundle: $SB_MODE mode "; }

echo "table: $(printf '%-10s %-10s' MODE PROGRAM; printf ' %-9s' "${machines[@]}")"
programs=$quick
[ "${SB_ALL:-0}" -eq 0 ] || programs="$quick $slow"
for program in ${SB_PROGRAMS:-$programs}; do
	declare -n command="command_${program//-/_}"
	row "$program" "${command[@]}"
done
