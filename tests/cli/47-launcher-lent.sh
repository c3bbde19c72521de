# Launchers that lend rights to whoever starts them: refused, as what is bound where is their caller's choice.
# shellcheck disable=SC2154 # of hand_bundle.sh
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/hand_bundle.sh"

refuses() { # LAUNCHER: whatever the mode, before it looks for its bundle
	local mode
	for mode in host namespace bwrap chroot auto; do
		expect_status 125 env SIDEBUNDLE_RUN_MODE=$mode "$1" -c : 2>said &&
			expect_output 1 grep -c '^sidebundle: the launcher is set-id, or has capabilities: .*chmod ug-s' said &&
			[ "$(wc -l <said)" -eq 1 ] || { cat said; return 1; }
	done
}
lends() { # LAUNCHER: it is there, and the file system heeds what it is
	[ -x "$1" ] && [ "$(id -u)" -ne 0 ] && ! findmnt -no OPTIONS -T "$1" | grep -q nosuid
}
while read -r kind name; do
	if lends "$SB_TARGETS/launcher-$kind"; then
		check "$name" refuses "$SB_TARGETS/launcher-$kind"
	else
		skip_check "$name" "root, to make such a launcher on a file system that heeds it"
	fi
done <<-END
	4755 set-user-id
	2755 set-group-id
	capable with file capabilities
END

# What the caller has is no matter: its own group, or bits that the kernel does not heed.
new_bundle "$PWD/b" host
entry sh "$box"
end_bundle
check "set-group-id of the caller's own group runs" expect_output fine bash -c 'chmod g+s b/bin/sh && b/bin/sh -c "echo fine"'
unheeded() { setpriv --no-new-privs "$SB_TARGETS/launcher-4755" -c : 2>&1; }
if lends "$SB_TARGETS/launcher-4755"; then
	check "under no_new_privs it is like any other" expect_match 'not in the bin/ of a bundle' unheeded
else
	skip_check "under no_new_privs" "root, to make such a launcher"
fi
if has_userns; then
	check "root of a user namespace runs" expect_output fine unshare -r b/bin/sh -c 'echo fine'
else
	skip_check "root of a user namespace" "user namespaces are refused here"
fi
