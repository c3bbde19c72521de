# Every function that names a path, called once with success and in vain: the program must not notice,
# and the trace must hold what it said. Here, linked statically, under musl, with the libcs of an older
# and a newer machine.
# timeout: 120
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"

held() { # PROGRAM [WHAT RUNS IT...]
	local program=$1 name=${1##*/}${2:+-otherwise} dir
	shift
	dir=$PWD/in.$name
	mkdir -m 755 "$dir" || return 1
	expect_status 0 "$program" "$dir" >/dev/null 2>"$name.alone" || return 1
	rm -r "$dir"
	mkdir -m 755 "$dir"
	expect_status 0 sidebundle trace -b "$SB_BACKEND" -o "$name.trace" -- "$@" "$program" "$dir" \
		>"$name.says" 2>"$name.traced" || { cat "$name.traced"; return 1; }
	rm -r "$dir"
	diff "$name.alone" <(without_ours "$name.traced") || return 1
	holds "$name" <"$name.says"
}

sources=("$SB_TESTS/targets/every_call.c" "$SB_TESTS"/targets/every_call/*.c)
compile=(-D_GNU_SOURCE -I"$SB_TESTS/.." -std=gnu11 -O1)

check "every call, with this libc" held "$SB_TARGETS/every_call"
[ "$SB_BACKEND" != audit ] ||
	check "every call, with both modules" held "$SB_TARGETS/every_call" "${WITHOUT_TEXT[@]}"

if command -v musl-gcc >/dev/null; then
	include=(-idirafter /usr/include -idirafter "/usr/include/$(gcc -print-multiarch)")
	check "build it with musl" \
		musl-gcc "${compile[@]}" "${include[@]}" -o every_call.musl "${sources[@]}"
	check "every call, with musl" held ./every_call.musl
	check "build it static" \
		musl-gcc "${compile[@]}" "${include[@]}" -static -o every_call.static "${sources[@]}"
	check "every call, static" held ./every_call.static
else
	skip_check "every call, with musl" "the program musl-gcc is missing"
fi

# An older libc by its own linker: its names for stat, its dlopen in a library of its own.
old=$SB_ROOTS/bullseye
if [ -d "$old" ] && [ "$(uname -m)" = x86_64 ]; then
	lib=$old/lib/x86_64-linux-gnu
	check "build it for glibc 2.31" gcc "${compile[@]}" -DOLD_GLIBC -o every_call.old \
		"${sources[@]}" -nodefaultlibs -Wl,--allow-shlib-undefined \
		-Wl,--dynamic-linker="$lib/ld-2.31.so" -Wl,-rpath,"$lib" \
		"$lib/libc.so.6" "$lib/libdl.so.2" -lgcc
	check "every call, with glibc 2.31" held ./every_call.old
else
	skip_check "every call, with glibc 2.31" "the root of another machine: bullseye (make roots)"
fi

# Newer ones: from glibc 2.41 its cancellable calls take another way.
with_newer() { # ROOT GLIBC
	local lib=$SB_ROOTS/$1/lib/x86_64-linux-gnu
	if ! [ -d "$lib" ] || [ "$(uname -m)" != x86_64 ]; then
		skip_check "every call, with glibc $2" "the root of another machine: $1 (make roots)"
		return
	fi
	check "build it for glibc $2" gcc "${compile[@]}" -o "every_call.$1" "${sources[@]}" \
		-Wl,--dynamic-linker="$lib/ld-linux-x86-64.so.2" -Wl,-rpath,"$lib"
	check "every call, with glibc $2" held "./every_call.$1"
	cp "every_call.$1" "every_call.$1.text"
	check "every call, with glibc $2, by a text of its own" under "$1" held "./every_call.$1.text"
}
with_newer trixie 2.41
# It changes every day, and is there for check-all alone.
[ ! -d "$SB_ROOTS/sid" ] || with_newer sid "of sid"
