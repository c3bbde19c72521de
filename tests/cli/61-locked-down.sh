# Machines that grant nothing: trace and show work all the same.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
d=$(fresh d)

locked() { # NAME WHAT... -- COMMAND...
	local name=$1
	local -a what=()
	shift
	while [ "$1" != -- ]; do
		what+=("$1")
		shift
	done
	shift
	"$SB_TOOLS/lockdown" "${what[@]}" -- sidebundle trace -o "$name.trace" -- "$@" \
		>"$name.out" 2>"$name.err" || { cat "$name.err"; return 1; }
	"$SB_TOOLS/holds" "$name.trace" "$name.out" || return 1
	"$SB_TOOLS/lockdown" "${what[@]}" -- sidebundle show --format paths "$name.trace" >"$name.paths" &&
		grep -qx /etc/passwd "$name.paths"
}
for what in no-ptrace no-userns no-seccomp "no-ptrace no-userns no-seccomp"; do
	name=${what// /-}
	# shellcheck disable=SC2086 # several words
	check "$what" locked "$name" $what -- sh -c 'cat /etc/passwd >/dev/null; "$2" 50 5 "$1" "$3"; "$4" plain "$3" "$1"' \
		- "$T/opens" "$T/storm" "$d" "$T/forks"
done
