# Machines that grant less: what works is watched all the same, `auto` takes the best of it, and doctor
# says what is so, for backends and run modes alike.
# timeout: 400
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
. "$SB_TESTS/cli/locked.sh"
d=$(fresh d)
sidebundle create --from-host "$(command -v cat)" --out-dir . >create.log 2>&1 || { cat create.log; exit 1; }

on() { # WHAT COMMAND...: on a machine that is locked down so; WHAT may be several words
	local what=$1
	shift
	# shellcheck disable=SC2086 # several words
	"$SB_TOOLS/lockdown" $what -- "$@"
}

locked() { # WHAT
	local what=$1 name=${1// /-}
	on "$what" sidebundle trace -o "$name.trace" -- sh -c \
		'cat /etc/passwd >/dev/null; "$2" 50 5 "$1" "$3"; "$4" plain "$3" "$1"' \
		- "$T/opens" "$T/storm" "$d" "$T/forks" >"$name.out" 2>"$name.err" ||
		{ cat "$name.err"; return 1; }
	"$SB_TOOLS/holds" "$name.trace" "$name.out" || return 1
	on "$what" sidebundle show --format paths "$name.trace" >"$name.paths" &&
		grep -qx /etc/passwd "$name.paths"
}

told_by_trace() { # WHAT
	on "$1" sidebundle trace --log-level info -o told.trace true 2>&1
}

for lock in "" no-ptrace no-userns no-seccomp "no-ptrace no-memory" "no-ptrace no-seccomp" \
	"no-ptrace no-userns no-seccomp" no-killable "no-killable no-ptrace"; do
	name=${lock:-all that there is}
	check "$name: watched" locked "$lock"
	check "$name: doctor is right" doctor_is_right "$lock"
	check "$name: auto takes what doctor says" auto_is_told "$lock"
done

# What that should be, where nothing but the lock is in the way.
if [ "$(auto_takes "" 1)" = hybrid ]; then
	while read -r want lock; do
		check "auto takes $want: ${lock:-all that there is}" expect_output "$want" auto_takes "$lock" 1
	done <<-END
		hybrid
		hybrid no-ptrace
		audit no-ptrace no-memory
		hybrid no-userns
		ptrace no-killable
		hybrid no-killable no-ptrace
		audit no-seccomp
		audit no-ptrace no-seccomp
	END
	check "and it is told why not the cheaper one" expect_match 'not hybrid: before Linux 5\.19' \
		told_by_trace no-killable
	check "doctor says so too" expect_match 'before Linux 5\.19 .* -b ptrace is better here' \
		on no-killable sidebundle doctor
	check "namespace is not taken where it is refused" expect_output host auto_takes "no-userns" 2
fi
