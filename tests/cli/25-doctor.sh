# doctor: what works on this machine, and on ones that grant less.
. "$SB_TESTS/cli/lib.sh"

lockdown() { "$SB_TOOLS/lockdown" "$@"; }
doctor() { sidebundle doctor "$@"; }
# A key of the object: field KEY [KEY]
field() { python3 -c 'import functools, json, sys
print(functools.reduce(lambda d, key: d[key], sys.argv[1:], json.load(sys.stdin)))' "$@"; }
# What the list LIST says of NAME: yes, or why not.
says() { # LIST NAME COMMAND...
	local list=$1 name=$2
	shift 2
	"$@" sidebundle doctor --format json | python3 -c 'import json, sys
for way in json.load(sys.stdin)[sys.argv[1]]:
    if way["name"] == sys.argv[2]:
        print("yes" if way["usable"] else "no: " + way["why"])' "$list" "$name"
}

check "something works: 0" expect_status 0 doctor
check "audit needs nothing" expect_match '^audit +yes +nothing ' doctor
check "nor does the host mode" expect_match '^host +yes +nothing ' doctor
check "what auto takes" expect_match '^auto +takes (hybrid|ptrace|audit)$' doctor
check "what the machine says of itself" expect_match "^  Linux +$(uname -r)\$" doctor
check "nothing of it is left behind" no_stale_log
check "it says nothing else" expect_output '' bash -c 'sidebundle doctor 2>&1 >/dev/null'
check "no operands" expect_status 2 doctor x
check "an unknown format" expect_status 2 doctor --format xml

need python3
check "json: one object" expect_status 0 bash -c 'sidebundle doctor --format json | python3 -m json.tool'
check "json: the kernel" test "$(doctor --format json | field machine kernel)" = "$(uname -r)"
check "auto is what trace takes" expect_match "auto: takes $(doctor --format json | field auto)" \
	sidebundle trace --log-level info -o t true

# Each way is tried, not asked for: the same answer as when it is used.
for backend in $(doctor --format json | python3 -c 'import json, sys
for way in json.load(sys.stdin)["backends"]: print(way["name"])'); do
	for lock in none no-ptrace no-seccomp no-userns; do
		run=()
		[ $lock = none ] || run=(lockdown "$lock" --)
		said=$(says backends "$backend" "${run[@]}")
		if [ "$said" = yes ]; then
			check "$lock: $backend works, as it says" expect_status 0 "${run[@]}" sidebundle trace -b "$backend" -o t true
		else
			check "$lock: $backend does not, as it says" expect_status 125 "${run[@]}" sidebundle trace -b "$backend" -o t true
			check "$lock: $backend tells what to do" grep -qE 'take |set |ask |run |install |allow|--' <<<"$said"
		fi
	done
done

if has_userns; then
	check "namespaces work" expect_output yes says run_modes namespace
	check "no user namespaces: refused, with the remedy" \
		expect_match '^no: .*user namespaces.*unprivileged_userns_clone=1' says run_modes namespace lockdown no-userns --
	check "user namespaces without rights: the other remedy" \
		expect_match '^no: .*no rights in them.*apparmor_restrict_unprivileged_userns=0' says run_modes namespace lockdown no-mount --
	if command -v bwrap >/dev/null; then
		check "bwrap works" expect_output yes says run_modes bwrap
		check "refused, it says so in bubblewrap's words" \
			expect_match '^no: .*bwrap.* failed: .*SIDEBUNDLE_RUN_MODE=auto' says run_modes bwrap lockdown no-userns --
	else
		skip_check "bwrap" "the program bwrap is missing"
	fi
	check "bwrap: one that is none" expect_match "^no: SIDEBUNDLE_BWRAP: '/none' is no program" \
		says run_modes bwrap env SIDEBUNDLE_BWRAP=/none
	check "chroot takes a right" expect_match '^no: it needs root or CAP_SYS_CHROOT' says run_modes chroot
	check "and works with it" expect_output yes says run_modes chroot unshare -r
	check "auto takes neither" expect_match '^auto +takes (namespace|host)$' doctor
	check "the host is left: 0" expect_status 0 lockdown no-userns no-ptrace no-seccomp -- sidebundle doctor
	check "auto then takes audit" expect_match '^auto +takes audit' lockdown no-userns no-ptrace no-seccomp -- sidebundle doctor
	check "and says why not better ones, where there are" bash -c '
		"$SB_TOOLS/lockdown" no-ptrace no-seccomp -- sidebundle trace -o t true 2>&1 | grep "takes audit"'
else
	skip_check "locked down" "user namespaces are refused here"
fi

check "nothing installed: 1" expect_status 1 env SIDEBUNDLE_LIBEXEC=/none sidebundle doctor
check "and how to mend that" expect_match 'host +no ' env SIDEBUNDLE_LIBEXEC=/none sidebundle doctor
check "in words" expect_match "run the launcher '/none/launcher' \(install" env SIDEBUNDLE_LIBEXEC=/none sidebundle doctor
