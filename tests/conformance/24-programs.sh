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
	if [ "$name$SB_BACKEND" = m32audit ]; then
		also "$name" "blind foreign $PWD/$name"
		also "$name-first" "blind foreign $PWD/$name"
	fi
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
# Where the machine's own headers are: another compiler's may stand in the way of gcc's link to them.
seen m32 gcc -m32 -idirafter "/usr/include/$(gcc -print-multiarch)"
# What was not seen into is named on stderr, by one line.
named() {
	local name=$1 why
	why=$(sed -n 's/.*"blind":\[{"why":"\([a-z-]*\)","path":"[^"]*'"$name"'".*/\1/p' "$name.trace")
	[ -z "$why" ] || sidebundle trace -b "$SB_BACKEND" -o again.trace -- "$PWD/$name" 2>&1 >/dev/null |
		grep -q "^sidebundle: .*/$name ($why)"
}
check "a program that is not seen into is named" named static

# At its end a program with the address sanitizer traces itself, to look for leaks. Where it is traced
# already that is refused, and noted.
quiet=()
case $SB_BACKEND in ptrace | combined) quiet=(ASAN_OPTIONS=detect_leaks=0) ;; esac
leaks() { # NAME
	expect_match "^sidebundle: .*$1 \(debugger\)" \
		sidebundle trace -b "$SB_BACKEND" -o leaks.trace -- "$PWD/$1" 10 0 "$d" &&
		tail -n 1 leaks.trace | grep -q "\"why\":\"debugger\",\"path\":\"$PWD/$1\""
}
# Sanitizers: under audit the module sees loads and searches; the program's own opens are the blind spot.
for cc in gcc clang; do
	for kind in address thread undefined; do
		if ! build "$cc-$kind" threads $cc -g -fsanitize=$kind -lpthread; then
			skip_check "$cc -fsanitize=$kind" "$cc with its sanitizer libraries"
			continue
		fi
		check "$cc -fsanitize=$kind" same "$cc-$kind" env ${quiet[@]+"${quiet[@]}"} "$PWD/$cc-$kind" 10 0 "$d"
		[ $kind != address ] || [ ${#quiet[@]} -eq 0 ] || check "$cc and leaks" leaks "$cc-$kind"
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
	[ "$(grep -c '^{"process":.*"exe":"[^"]*/tls65536"' tls65536-child.trace)" = 1 ] || {
		sidebundle show --tree tls65536-child.trace
		return 1
	}
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

# Privileges: into a program that gains some, nothing of ours is loaded. What the machine has set-id differs.
for bit in u g; do
	setid=$(for p in /usr/bin/{su,newgrp,gpasswd,mount,chage,expiry,ssh-agent,crontab}; do
		test "-$bit" "$p" && echo "$p" && break
	done)
	if [ -z "$setid" ]; then
		skip_check "a set-id program ($bit)" "a program with that bit on this machine"
		continue
	fi
	also setid-$bit "expect exec 0 - $setid" "expect open 0 - /etc/ld.so.cache"
	also child-setid-$bit "expect exec 0 - $setid"
	[ "$SB_BACKEND" != audit ] || also child-setid-$bit "blind setid $setid"
	check "a set-id program ($bit)" same setid-$bit "$setid" --help
	check "a set-id program ($bit), as a child" same child-setid-$bit sh -c '"$@"; exit $?' - "$setid" --help
done
if [ -e "$T/capable" ]; then
	also capable "expect exec 0 - $T/capable"
	also capable-child "expect exec 0 - $T/capable"
	case $SB_BACKEND in
	audit) why=setid ;;
	fanotify) why='' ;;
	*) why=privilege-lost ;;
	esac
	[ -z "$why" ] || also capable "blind $why $T/capable"
	[ -z "$why" ] || also capable-child "blind $why $T/capable"
	check "a program with file capabilities" same capable "$T/capable" /etc/passwd -2 "$d/capable"
	check "a program with file capabilities, as a child" \
		same capable-child sh -c '"$@"; exit $?' - "$T/capable" /etc/passwd -2 "$d/capable"
else
	skip_check "a program with file capabilities" "the right to set them (root with CAP_SETFCAP), and setcap"
fi

# A machine that no kernel knows, of 32 bits: the errno is the kernel's, and no linker has a word to say.
foreign() {
	printf '\177ELF\1\1\1\0\0\0\0\0\0\0\0\0\2\0\377\177\1\0\0\0' >foreign
	head -c 200 /dev/zero >>foreign
	chmod +x foreign
	also foreign "expect exec 8 - $PWD/foreign"
	[ "$SB_BACKEND" != audit ] || also foreign "blind foreign $PWD/foreign"
	same foreign bash -c 'exec "$1"' - "$PWD/foreign" && grep -q 'Exec format error' foreign.err
}
check "a program of another machine" foreign
if "$T/mdwe" "$T/opens" "$d" >/dev/null; then
	check "memory-deny-write-execute" traced mdwe 0 "$T/mdwe" "$T/opens" "$d"
	if [ "$SB_BACKEND" = audit ]; then
		# Its libc takes no detours then; the first image has had them before it forbade them.
		also mdwe-two "blind libc $T/opens"
		check "memory-deny-write-execute, with both modules" \
			traced mdwe-two 0 "${WITHOUT_TEXT[@]}" "$T/mdwe" "$T/opens" "$d"
	fi
else
	skip_check "memory-deny-write-execute" "a kernel with PR_SET_MDWE (6.3)"
fi

# What looks at a program's insides sees nothing of ours there.
like_untraced() {
	local status=0
	"$@" >like.want 2>like.want.err </dev/null || status=$?
	echo "$status" >>like.want
	status=0
	sidebundle trace -b "$SB_BACKEND" -o like.trace -- "$@" >like.got 2>like.err </dev/null || status=$?
	echo "$status" >>like.got
	grep -v '^sidebundle: ' like.err >like.got.err
	diff like.want like.got && diff like.want.err like.got.err
}
# shellcheck disable=SC2016 # for the shell
check "ldd" like_untraced sh -c 'ldd "$1" "$2" | sed "s/ (0x.*//"' - "$(command -v bash)" "$T/opens"
if command -v valgrind >/dev/null; then
	check "valgrind" like_untraced valgrind -q --error-exitcode=7 --leak-check=full "$T/opens" /etc/passwd 0 "$d"
	printf '#include <stdlib.h>\nint main(void) { return *(char *)malloc(1) == 1; }\n' >unset.c
	gcc -g -o unset unset.c && check "valgrind finds what is wrong" expect_status 7 \
		sidebundle trace -b "$SB_BACKEND" -o like.trace -- valgrind -q --error-exitcode=7 ./unset
else
	skip_check "valgrind" "the program valgrind is missing"
fi
