# What libc opens for itself: no function that names a path is called for it. With this libc, an older and
# a newer one, whose leaf functions lie and look otherwise.
# backends: audit hybrid notify ptrace combined
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"

check "what libc opens for itself" traced inside 0 "$T/inside" "$(fresh inside.d)"
[ "$SB_BACKEND" != audit ] || check "and no blind spot says that it was not seen" \
	bash -c '! tail -n 1 inside.trace | grep -q "\"libc\""'

check "what libc looks at on the way" traced beneath 0 "$T/beneath" "$(fresh beneath.d)"

with_libc_of() { # ROOT LINKER LIBRARY...
	local root=$SB_ROOTS/$1 name=inside.$1
	local lib=$root/lib/x86_64-linux-gnu linker=$2
	if ! [ -d "$root" ] || [ "$(uname -m)" != x86_64 ]; then
		skip_check "with the libc of $1" "the root of another machine: $1 (make roots)"
		return
	fi
	shift 2
	build "$name" inside gcc -nodefaultlibs -Wl,--allow-shlib-undefined \
		-Wl,--dynamic-linker="$lib/$linker" -Wl,-rpath,"$lib" \
		"$lib/libc.so.6" -lgcc || { cat "$name.log"; return 1; }
	check "with the libc of ${root##*/}" traced "$name" 0 "./$name" "$(fresh "$name.d")"
	[ "$SB_BACKEND" != audit ] || check "and it has its detours: ${root##*/}" \
		bash -c '! tail -n 1 "$1" | grep -q "\"libc\""' - "$name.trace"
	[[ $linker != ld-linux* ]] ||
		check "with the libc of ${root##*/}, by a text of its own" \
			under "${root##*/}" traced "$name.text" 0 "./$name" "$(fresh "$name.text.d")"
}
with_libc_of bullseye ld-2.31.so
with_libc_of trixie ld-linux-x86-64.so.2
# It is there for check-all alone.
[ ! -d "$SB_ROOTS/sid" ] || with_libc_of sid ld-linux-x86-64.so.2

# Where the dynamic linker finds nothing, it looks whether there is such a directory at all.
searched() {
	local dir
	dir=$(fresh searched.d)
	also searched "expect stat 0 - $dir" "expect stat 2 - $dir/nowhere"
	traced searched 0 env LD_LIBRARY_PATH="$dir:$dir/nowhere" true
}
check "directories that the dynamic linker searches" searched
relative() {
	local dir
	dir=$(fresh relative.d)
	(cd "$dir" && trace_into "$PWD/../relative" env LD_LIBRARY_PATH=: true) || return 1
	! grep '"event":"stat"' relative.trace | grep -F "\"$dir/"
}
check "but not of one that is relative" relative
