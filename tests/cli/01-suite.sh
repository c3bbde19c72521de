# The suite's own tools: other machines and locked-down ones are what they claim to be.
. "$SB_TESTS/cli/lib.sh"

if has_root bare; then
	mkdir tools && cp "$(command -v busybox || echo /bin/busybox)" tools/ || skip "busybox is missing"
	bare_has_nothing() {
		[ "$(as_other_machine bare "$PWD/tools" /tools /tools/busybox ls /)" = \
			$'dev\nhome\nproc\nrun\ntmp\ntools' ]
	}
	check "a bare root holds nothing" bare_has_nothing
	check "what runs there is not root" expect_output "$(id -u)" \
		as_other_machine bare "$PWD/tools" /tools /tools/busybox id -u
	check "its tools are read-only" expect_match 'Read-only|read-only' \
		as_other_machine bare "$PWD/tools" /tools /tools/busybox touch /tools/x
else
	skip_check "other machines" "neither root nor user namespaces to enter another root"
fi
for root in bullseye trixie; do
	if has_root $root; then
		check "the $root root is one" expect_match "VERSION_CODENAME=$root" \
			as_other_machine $root "$PWD" /case cat /etc/os-release
	else
		skip_check "$root" "the root of another machine: $root (make roots)"
	fi
done
check "no-userns refuses user namespaces" expect_status 1 \
	"$SB_TOOLS/lockdown" no-userns -- unshare -r true
check "no-seccomp leaves ordinary programs alone" "$SB_TOOLS/lockdown" no-seccomp -- true
same_verdict() {
	unshare -rm mount -t tmpfs none /mnt 2>/dev/null || { ! has_userns; return; }
	has_userns
}
check "user namespaces are found where they are granted" same_verdict
