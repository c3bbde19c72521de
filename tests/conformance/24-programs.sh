# Programs that are built unlike others: seen into, or reported as a blind spot; never disturbed.
# timeout: 300
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
need gcc
d=$(fresh d)

# Compiled variants of one program, started by a shell so that an exec hook meets them, and directly.
seen() { # NAME CC...
	local name=$1
	shift
	if ! build "$name" opens "$@"; then
		skip_check "$name" "a compiler for: $*"
		return
	fi
	if ! "$PWD/$name" 2>/dev/null; then
		skip_check "$name" "a kernel that runs what is made by: $*"
		return
	fi
	also "$name" "expect exec 0 - $PWD/$name"
	also "$name-first" "expect exec 0 - $PWD/$name"
	check "$name" same "$name" sh -c '"$@"; exit $?' - "$PWD/$name" /etc/passwd -2 "$d/$name"
	check "$name, as the command" same "$name-first" "$PWD/$name" /etc/passwd -2 "$d/$name"
}

seen dynamic gcc
seen no-pie gcc -no-pie
seen no-plt gcc -O2 -fno-plt -Wl,-z,now
seen sysv-hash gcc -Wl,--hash-style=sysv
seen bind-now-clang clang -Wl,-z,relro,-z,now
seen musl musl-gcc
seen static gcc -static
seen static-pie gcc -static-pie
seen musl-static musl-gcc -static
seen m32 gcc -m32
# What was not seen into is named on stderr, by one line.
named() {
	local name=$1 why
	why=$(sed -n 's/.*"blind":\[{"why":"\([a-z-]*\)","path":"[^"]*'"$name"'".*/\1/p' "$name.trace")
	[ -z "$why" ] || sidebundle trace -b "$SB_BACKEND" -o again.trace -- "$PWD/$name" 2>&1 >/dev/null |
		grep -q "^sidebundle: .*/$name ($why)"
}
check "a program that is not seen into is named" named static

# Sanitizers: under audit the module sees loads and searches; the program's own opens are the blind spot.
for cc in gcc clang; do
	for kind in address thread undefined; do
		if ! build "$cc-$kind" threads $cc -g -fsanitize=$kind -lpthread; then
			skip_check "$cc -fsanitize=$kind" "$cc with its sanitizer libraries"
			continue
		fi
		check "$cc -fsanitize=$kind" same "$cc-$kind" "$PWD/$cc-$kind" 10 0 "$d"
	done
done

# 64 KiB of static TLS in a library that the program needs; threads of 16 KiB of stack still start.
tls() { # NAME ROOM COMMAND...
	local name=$1 room=$2
	shift 2
	build "lib$name.so" tls gcc -DLIBRARY -DROOM="$room" -shared -fPIC || return 1
	build "$name" tls gcc -L. -Wl,--no-as-needed "-l$name" "-Wl,-rpath,$PWD" || return 1
	traced "$name" 0 "$PWD/$name" "$T/opens" "$d" && grep -q '^library: yes' "$name.out" &&
		traced "$name-child" 0 sh -c '"$@"; exit $?' - "$PWD/$name" "$T/opens" "$d"
}
for room in 1500 2000 4096 65536; do
	check "a library with $room bytes of static TLS" tls "tls$room" $room
done
# Such an image is begun again, and stays one process of the trace.
told_once() {
	local twice
	twice=$(grep '"event"' tls65536.trace | sed 's/,"count":[0-9]*}$//' | sort | uniq -d)
	[ -z "$twice" ] || { echo "stands twice: $twice"; return 1; }
}
check "what an image that began again did is told once" told_once
build libhuge.so tls gcc -DLIBRARY -DROOM=1200000 -shared -fPIC &&
	build huge tls gcc -L. -Wl,--no-as-needed -lhuge "-Wl,-rpath,$PWD" &&
	check "a library with more static TLS than threads have stack" \
		same huge "$PWD/huge" "$T/opens" "$d"
small_stacks_of_child() {
	traced stacks 0 sh -c '"$1" "$2" "$4" && "$3" 20 16384 "$4"' - "$PWD/tls65536" "$T/opens" \
		"$T/threads" "$d"
}
check "stacks of 16 KiB after a program that needed room" small_stacks_of_child

# Privileges: what the machine has; a set-id program loads nothing of ours.
setid=$(for p in /usr/bin/su /usr/bin/newgrp /usr/bin/gpasswd /usr/bin/chage /usr/bin/mount; do
	[ -u "$p" ] && echo "$p" && break
	[ -g "$p" ] && echo "$p" && break
done)
if [ -n "$setid" ]; then
	also setid "expect exec 0 - $setid" "expect open 0 - /etc/ld.so.cache"
	check "a set-id program" same setid "$setid" --help
else
	skip_check "a set-id program" "a set-id program on this machine"
fi
if "$T/mdwe" "$T/opens" "$d" >/dev/null; then
	check "memory-deny-write-execute" traced mdwe 0 "$T/mdwe" "$T/opens" "$d"
else
	skip_check "memory-deny-write-execute" "a kernel with PR_SET_MDWE (6.3)"
fi
