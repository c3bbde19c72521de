# The launcher's host mode: the payload's libraries, this machine's everything else. And run.
# shellcheck disable=SC2016,SC2154 # for the shell in the bundle
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/hand_bundle.sh"

new_bundle "$PWD/b" host
entry_with_libs ls "$(command -v ls)"
entry_with_libs env "$(command -v env)"
plan env LD_LIBRARY_PATH=/recorded env RECORDED=yes
entry sh "$box"
printf '#!/bin/sh -eu\necho "$0" "$@"\n' >script
chmod 755 script
shell=$(realpath /bin/sh)
ln "$bundle/.launcher" b/bin/script
payload script /opt/script
payload "$shell"
interp=$(readelf -l "$shell" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
libc=$(ldd "$shell" | sed -n 's/.*libc\.so\.6 => \([^ ]*\) .*/\1/p')
plan entry script exec /opt/script program "$shell" prefix -eu interp "$interp" lib "${libc%/*}"
for name in there copied nowhere absent data; do ln "$bundle/.launcher" b/bin/$name; done
plan entry there exec "$box" arg pwd cwd "$PWD"
plan entry copied exec "$box" arg pwd cwd /no/such
plan entry nowhere exec "$box" arg pwd cwd /neither/here
plan entry absent exec /no/program
plan entry data exec /data
mkdir -p b/payload/no/such
echo data >b/payload/data
end_bundle

mkdir list && touch list/{a,b,c}
check "a program with libraries" expect_same ls list -- b/bin/ls list
maps() { strace -f -e trace=openat,open,execve b/bin/ls list 2>&1 | grep -v ENOENT | grep -oE '"[^"]*\.so[^"]*"' | sort -u; }
only_ours() { ! maps | grep -v "^\"$PWD/b/payload/"; }
if strace -o /dev/null true 2>/dev/null; then
	check "all its libraries are the bundle's" only_ours
else
	skip_check "all its libraries are the bundle's" "strace"
fi
check "argv[0] is the caller's" expect_match '^b/bin/ls: ' b/bin/ls /nowhere
check "a static program" expect_output fine b/bin/sh -c 'echo fine'
check "a script, with its interpreter's arguments" expect_output "$PWD/b/payload/opt/script x y" b/bin/script x y
clean() { ! b/bin/env | grep '^LD_'; }
check "the environment names no library" clean
check "recorded variables come along" expect_match '^RECORDED=yes$' b/bin/env
check "the user's own come first" expect_match '^RECORDED=mine$' env RECORDED=mine b/bin/env
check "it starts this machine's programs" expect_output "$(uname -r)" b/bin/env uname -r
check "the status comes through" expect_status 42 b/bin/sh -c 'exit 42'
check "the recorded directory is this machine's" expect_output "$PWD" bash -c "cd / && $PWD/b/bin/there"
check "or else the bundle's" expect_output "$PWD/b/payload/no/such" b/bin/copied
check "or else it is an error" expect_match '^sidebundle: host mode: .*/neither/here' b/bin/nowhere
check "which is 125" expect_status 125 b/bin/nowhere
check "a program that is not there is 127" expect_status 127 b/bin/absent
check "a file that is no program is 126" expect_status 126 b/bin/data
odd() { cp -a b 'odd:name' && odd:name/bin/ls list; }
check "a ':' in the path is explained" expect_match "':' or ';'" odd
check "moved" expect_same ls list -- bash -c 'mv b c && c/bin/ls list; s=$?; mv c b; exit $s'
check "SIDEBUNDLE_VERBOSE tells the mode" expect_match "^sidebundle: host mode" \
	env SIDEBUNDLE_VERBOSE=1 b/bin/ls list
for root in bullseye trixie; do
	if has_root $root; then
		check "$root: a program with libraries" expect_output $'/dev/fd\n/dev/full' \
			as_other_machine $root "$PWD/b" /bundle /bundle/bin/ls -d /dev/fd /dev/full --format=single-column
	else
		skip_check "$root" "the root of another machine: $root (make roots)"
	fi
done

# --- run
new_bundle "$PWD/one" host
entry busybox "$box"
end_bundle
check "run: the only entry needs no name" expect_match BusyBox sidebundle run one
check "run: an entry with arguments" expect_output 'a b' sidebundle run one busybox echo a b
check "run: its options are its own" expect_output 'x --run-mode' sidebundle run one busybox echo x --run-mode
shut() { # what is out of reach is not said to be missing
	local rc=0
	chmod 0 b/payload
	expect_match "find '.*' in '.*/b/payload': Permission denied" b/bin/sh -c : || rc=1
	chmod 755 b/payload
	return $rc
}
[ "$(id -u)" -eq 0 ] || check "a payload that may not be entered" shut
check "run: the status comes through" expect_status 7 sidebundle run b sh -c 'exit 7'
check "run: several entries are listed" expect_match 'several entries.*absent copied data env ls' sidebundle run b
check "run: which is a usage error" expect_status 2 sidebundle run b
check "run: an unknown entry" expect_match "no entry 'nope', but: busybox" sidebundle run one nope
check "run: which is a usage error too" expect_status 2 sidebundle run one nope
check "run: --run-mode" expect_match '^sidebundle: host mode' \
	env SIDEBUNDLE_VERBOSE=1 sidebundle run one --run-mode host busybox true
check "run: an unknown mode" expect_status 2 sidebundle run one --run-mode fakechroot busybox true
check "run: no bundle" expect_status 2 sidebundle run
check "run: not a bundle" expect_match 'is .* a bundle' sidebundle run list
