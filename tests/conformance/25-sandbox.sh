# Roots and filters that a program puts itself under.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
d=$(fresh d)

for how in prctl seccomp; do
	check "its own seccomp filter, by $how" traced "filter-$how" 0 "$T/sandboxed" $how "$d"
done

# What it starts asks the kernel nothing of its own either: where it stands is known from before.
: >"$d/relative"
also started "expect open 0 - $d/relative"
check "a program that one under its own filter starts" traced started 0 \
	env -C "$d" "$SB_TOOLS/lockdown" no-userns -- cat relative

if has_userns; then
	root=$(fresh root)
	: >"$root/data"
	build root/static opens gcc -static || rm -f root/static
	cp "$T/opens" "$root/dynamic"
	# The shell and unshare are in the trace as well; what counts is what was done in the root.
	check "a chroot, and a static program in it" traced chroot 0 \
		unshare -r "$T/chrooted" "$root" /static
	check "a chroot without the program's linker" same chroot-dynamic \
		unshare -r "$T/chrooted" "$root" /dynamic

	rooted=$(fresh rooted)
	mkdir "$rooted/root" "$rooted/below"
	touch "$rooted/root/data" "$rooted/below/file"
	check "a root that a child took for it, without /proc" traced rooted 0 \
		unshare -r "$T/rooted" "$rooted"
	[ "$SB_BACKEND" != audit ] || check "which is said" expect_match '1 program named files from a directory that has no name' \
		sidebundle trace -b audit -o rooted.trace -- unshare -r "$T/rooted" "$rooted"

	mounted=$(fresh mounted)
	also namespace "expect write 0 - $mounted/file" "expect open 0 - $mounted/file" "expect open 0 - $d/in-pid-namespace"
	: >"$d/in-pid-namespace"
	check "namespaces inside: users, mounts, processes" same namespace unshare -Urmpf sh -c \
		'mount -t tmpfs none "$1" && echo inside >"$1/file" && cat "$1/file" && cat "$2" && echo $$' \
		- "$mounted" "$d/in-pid-namespace"

	# What is mounted for them alone has no name here.
	apart() {
		traced parted 0 "$T/parted" "$parted" || return 1
		! grep -F "\"path\":\"$parted/there/file\"" parted.trace | grep -v '"real":null'
	}
	parted=$(fresh parted)
	mkdir "$parted/here" "$parted/there"
	: >"$parted/here/file"
	case $SB_BACKEND in
	notify | ptrace | combined)
		check "children that begin in a mount namespace of their own" apart
		;;
	esac
else
	skip_check "a chroot" "user namespaces are refused here"
fi
