# timeout: 1500
# Programs x machines, in one run mode: each replays as it was, on this machine and on others, and
# opens no file of theirs that its bundle does not declare, as our own tracer sees from outside.
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
	# A root that check-all alone makes may be there from it.
	[ $root != sid ] || [ "${SB_ALL:-0}" -ne 0 ] || continue
	[ ! -d "$SB_ROOTS/$root" ] || machines+=("$root")
done
[ ${#machines[@]} -eq 1 ] || ! make_musl || machines+=(musl)
# Where our tracer looks on: everywhere, or on one that has much to be opened by mistake, and once here.
is_looked_at() { # PROGRAM MACHINE
	[ "${SB_ALL:-0}" -ne 0 ] || [ "$2" = bullseye ] || [ "$1 $2" = "ls here" ]
}
# It has no privilege to lose under a tracer, and none to gain.
cp "$SB_TOOLS/enter" "$SB_WORK/enter" && chmod 755 "$SB_WORK/enter" || exit 1
enter=("$SB_TOOLS/enter")

# bubblewrap for machines that have none: a bundle itself, whose libraries alone are redirected.
extra=()
if [ "$SB_MODE" = bwrap ]; then
	. "$SB_TESTS/cli/hand_bundle.sh"
	new_bundle "$SB_WORK/bubble" host
	entry_with_libs bwrap "$(command -v bwrap)"
	end_bundle
	extra=(--ro-bind "$SB_WORK/bubble" /bubble)
fi

root_of() { # MACHINE
	case $1 in
	here) echo / ;;
	musl) echo "$SB_WORK/musl" ;;
	*) echo "$SB_ROOTS/$1" ;;
	esac
}

on_machine() { # MACHINE ENTRY: under what $tracer holds, too
	local -a options=(${extra[@]+"${extra[@]}"})
	if [ "$1" = here ]; then
		${tracer[@]+"${tracer[@]}"} "$bundle/bin/$2"
		return
	fi
	options+=(--root "$(root_of "$1")")
	# Rights there are those of root in a user namespace.
	[ "$SB_MODE" != chroot ] || options+=(--as-root)
	[ "$SB_MODE" != bwrap ] || local -x SIDEBUNDLE_BWRAP=/bubble/bin/bwrap
	${tracer[@]+"${tracer[@]}"} "${enter[@]}" "${options[@]}" --ro-bind "$bundle" /bundle -- "/bundle/bin/$2"
}

# --- programs
# Where a program's directory is: below $SB_WORK, or where place_NAME says, which is a directory of
# ours that is mounted there as long as it is recorded, and that no machine has.
within() { # PROGRAM COMMAND...
	local -n place="place_${1//-/_}"
	shift
	if [ -n "${place:-}" ]; then
		HOME=/home/tester unshare -rm sh -c 'mount --bind "$0" "$1" && cd "$2" && shift 2 && exec "$@"' \
			"$SB_WORK/place" "/${place#/}" "/${place#/}/tester/project" "$@"
	else
		"$@"
	fi
}

fresh() {
	local -n place="place_${1//-/_}"
	local dir=$SB_WORK/project
	[ -z "${place:-}" ] || dir=$SB_WORK/place/tester/project
	chmod -R u+w "$SB_WORK/project" "$SB_WORK/place" 2>/dev/null
	rm -rf "$SB_WORK/project" "$SB_WORK/place"
	mkdir -p "$dir" && cd "$dir" && "prepare_$1"
}

make_bundle() { # PROGRAM COMMAND...
	local name=$1
	local -n place="place_${1//-/_}"
	shift
	rm -rf "${SB_WORK:?}/$name" && mkdir "$SB_WORK/$name" || return 1
	bundle=$SB_WORK/$name/b
	fresh "$name" && _capture "$SB_WORK/$name/here" within "$name" "$@" || return 1
	[ -s "$SB_WORK/$name/here.out" ] || { echo "it prints nothing"; cat "$SB_WORK/$name/here.err"; return 1; }
	# By the system calls where that is allowed: so nothing is missed.
	fresh "$name" && within "$name" sidebundle trace -b notify -o "$SB_WORK/$name/trace" -- "$@" >/dev/null 2>&1 </dev/null
	local -n more="create_${name//-/_}"
	# What the run changed there is not what it found.
	[ -z "${place:-}" ] || fresh "$name"
	within "$name" sidebundle create --from-trace "$SB_WORK/$name/trace" --name b --out-dir "$SB_WORK/$name" \
		${more[@]+"${more[@]}"} >"$SB_WORK/$name/log" 2>&1 || { cat "$SB_WORK/$name/log"; return 1; }
	chmod -R a-w "$bundle"
}

replays() { # PROGRAM MACHINE ENTRY
	fresh "$1"
	_capture "$SB_WORK/$1/there" on_machine "$2" "$3"
	_same_captures "$SB_WORK/$1/here" "$SB_WORK/$1/there" "$SB_MODE mode, $2"
}

# What the machine has, and the bundle does not declare, is not opened.
# What tidies up behind a run is waited for.
keeps_to_itself() { # PROGRAM MACHINE ENTRY
	local at=/bundle to=$SB_WORK/$1
	local -a tracer=(sidebundle trace -b ptrace --wait-all -o "$to/looked") enter=("$SB_WORK/enter" --user-only) view=()
	fresh "$1"
	_capture "$to/traced" on_machine "$2" "$3"
	cmp "$to/here.status" "$to/traced.status" || { cat "$to/traced.err"; return 1; }
	[ "$SB_MODE" = host ] || view=(--payload "$bundle/payload")
	# Here the directory, and what lies beside the bundle, is this machine's.
	[ "$2" != here ] || at=$SB_WORK
	"$SB_TOOLS/strangers" ${view[@]+"${view[@]}"} --mine "$at" "$(root_of "$2")" "$to/looked"
}

# A check of a cell; says what the table is to hold if it did not pass.
cell() { # NAME WORD COMMAND...
	local name=$1 word=$2 before=$_failed
	shift 2
	_failed=0
	mode_check "$name" "$@"
	case $_failed$(tail -n 1 "$SB_RESULTS" | cut -f1) in
	0pass) ;;
	0skip) state=known ;;
	*) state=$word ;;
	esac
	[ "$_failed" -ne 0 ] || _failed=$before
}

row() { # PROGRAM COMMAND...
	local name=$1 machine line state
	local -n needs="needs_${1//-/_}"
	shift
	if ! command -v "${needs:-${1##*/}}" >/dev/null; then
		skip_check "$name" "the program ${needs:-$1} is missing"
		return
	fi
	check "$name: bundled" make_bundle "$name" "$@"
	line=$(printf '%-10s %-10s' "$SB_MODE" "$name")
	for machine in "${machines[@]}"; do
		state=same
		cell "$name: $machine" DIFFERS replays "$name" "$machine" "${1##*/}"
		! is_looked_at "$name" "$machine" ||
			cell "$name: $machine: only files of its own" STRANGE keeps_to_itself "$name" "$machine" "${1##*/}"
		line+=$(printf ' %-9s' $state)
	done
	[ "$name" != ls ] || for machine in "${machines[@]}"; do check "the mode: $machine" says_mode "$machine"; done
	echo "table: $line"
	cd "$SB_WORK" && chmod -R u+w "$name" && rm -rf "${SB_WORK:?}/$name"
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
