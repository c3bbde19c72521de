# trace -b hybrid: all that notify is held to; and what the modules record is not told by the kernel as well.
# timeout: 180
export NOTIFYING=hybrid
. "$SB_TESTS/cli/15-notify.sh"
. "$SB_TESTS/cli/torture.sh"

notices() { # BACKEND COMMAND...: how many notifications it takes
	local backend=$1
	shift
	sidebundle trace --log-level debug -b "$backend" -o "$backend.trace" -- "$@" 2>&1 >/dev/null |
		sed -n 's/.* \([0-9]*\) notifications$/\1/p'
}

# --- what passes, and what is reported ----------------------------------------------------------------------
mkdir files && touch files/{1..200}
opened() { # a program's own opens are free, and none of them is missing
	local n
	n=$(notices hybrid "$SB_TARGETS/opens" files/*) && [ -n "$n" ] && [ "$n" -lt 60 ] || { echo "$n notifications"; return 1; }
	expect_output 200 grep -c '^{"event":"open".*/files/[0-9]*",.*"outcome":0,' hybrid.trace
}
check "the bypass passes the guard" opened
# An exec that libc is asked for is free, and so is what the dynamic linker opens and looks for, the audit
# module's own file first.
started() {
	local none ten true
	true=$(type -P true)
	none=$(notices hybrid sh -c 'for i in 0 1 2 3 4 5 6 7 8 9; do :; done; :' sh "$true") &&
		ten=$(notices hybrid sh -c 'for i in 0 1 2 3 4 5 6 7 8 9; do "$1"; done; :' sh "$true") &&
		[ -n "$none" ] && [ "$ten" -eq "$none" ] || { echo "$ten notifications, not $none"; return 1; }
}
if [ "$(uname -m)" = x86_64 ]; then
	check "programs start without a notification" started
else
	skip_check "programs start without a notification" "x86_64: elsewhere the linker is not answered for"
fi
# fstat names nothing: the filter lets it by, in whatever way libc makes it, with one module and with two.
looked() { # [COMMAND BEFORE...]
	local none many
	none=$(notices hybrid "$@" "$SB_TARGETS/fstats" 0 files/1) && many=$(notices hybrid "$@" "$SB_TARGETS/fstats" 1000 files/1) &&
		[ -n "$none" ] && [ "$many" -eq "$none" ] || { echo "$many notifications, not $none"; return 1; }
}
check "asking a descriptor what it is is not reported" looked
check "nor with two modules" looked "${WITHOUT_TEXT[@]}"
# What libc does for itself is led to the bypass when a program first asks for what it is a part of.
beneath_libc() {
	local n
	mkdir -p many && touch many/{1..50} && ln -sf many link
	n=$(notices hybrid "$SB_TARGETS/inside_libc" link "$(type -P true)") && [ "$n" -eq 1 ] || { echo "$n notifications"; return 1; }
	notices notify "$SB_TARGETS/inside_libc" link "$(type -P true)" >/dev/null && sidebundle diff hybrid.trace notify.trace
}
if [ "$(uname -m)" = x86_64 ]; then
	check "libc's own listing, reading of links and exec are not reported" beneath_libc
else
	skip_check "libc's own calls" "x86_64: elsewhere libc gets no detours"
fi
# So with a linker of another make; one that is too old for an audit module is left alone, and all is reported.
linker_of() { # ROOT LINKER LEAST MOST
	local lib=$SB_ROOTS/$1/lib/x86_64-linux-gnu n
	echo 'int main(void) { return 0; }' >"$1.c"
	gcc "$1.c" -o "$1.bin" -nodefaultlibs -Wl,--allow-shlib-undefined -Wl,--dynamic-linker="$lib/$2" \
		-Wl,-rpath,"$lib" "$lib/libc.so.6" -lgcc || return 1
	n=$(notices hybrid "./$1.bin") && [ -n "$n" ] && [ "$n" -ge "$3" ] && [ "$n" -le "$4" ] || { echo "$n notifications"; return 1; }
	notices notify "./$1.bin" >/dev/null && sidebundle diff hybrid.trace notify.trace
}
if [ "$(uname -m)" = x86_64 ] && [ -d "$SB_ROOTS/trixie" ] && [ -d "$SB_ROOTS/bullseye" ] && type gcc >/dev/null; then
	# Its libc is not the one whose text is at hand: it begins again, with both modules, once in a trace.
	check "the linker of glibc 2.41 is answered for" linker_of trixie ld-linux-x86-64.so.2 4 4
	check "that of glibc 2.31 is left alone" linker_of bullseye ld-2.31.so 5 99
else
	skip_check "linkers of other glibcs" "x86_64, gcc and the roots of other machines: trixie, bullseye (make roots)"
fi
# The opening of the module is told by where its name lies, which something else may lie at.
as_notify() { # COMMAND...: that, and nothing is lost
	sidebundle trace -b hybrid -o hybrid.trace -- "$@" >/dev/null && sidebundle trace -b notify -o notify.trace -- "$@" >/dev/null || return 1
	sidebundle diff --kind open,exec hybrid.trace notify.trace && ! grep '"lost":[1-9]' hybrid.trace
}
tls() { # BYTES: a program that has so much of its own for each thread
	echo "__thread char own[$1]; int main(void) { return own[0]; }" >tls.c
	gcc tls.c -o tls && notices hybrid ./tls
}
with_directories() { # where the user has some searched first, too
	local n
	n=$(LD_LIBRARY_PATH=/nowhere:/usr/lib notices hybrid sh -c 'true; "$0"; "$0"; :' "$(type -P true)") && [ "$n" -eq 1 ] ||
		{ echo "$n notifications"; return 1; }
}
if [ "$(uname -m)" = x86_64 ] && type gcc >/dev/null; then
	check "nor does one that searches the user's directories" with_directories
	check "nor does one with thread-local variables" expect_output 1 tls 16
	check "and one with many is told of as ever" expect_output 2 tls 5000
else
	skip_check "programs with thread-local variables" "x86_64, and gcc"
fi
auditor=$SB_TARGETS/user_module true=$(type -P true)
check "an auditor that comes before ours" as_notify env LD_AUDIT="$auditor" true
linker=$(readelf -lW "$true" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
# Each list of directories takes more room ahead of the program's name, past where ours would lie.
echo 'list=/nowhere; for i in $(seq 120); do "$1" --library-path "$list" "$2"; list=$list:/nowhere/$i; done' >linker.sh
run_by_linker() {
	as_notify sh linker.sh "$linker" "$true" &&
		expect_output 120 grep -c "^{\"event\":\"open\".*\"path\":\"$true\".*\"outcome\":0,.*\"count\":1}" hybrid.trace
}
check "a linker that is run as a program" run_by_linker
# Where names cannot be made out from within, our own looks would be told as the program's.
if has_userns && [ -x "$SB_ROOTS/bullseye/bin/true" ]; then
	check "in another root, without /proc" as_notify unshare -r chroot "$SB_ROOTS/bullseye" /bin/sh -c '/bin/true; ls /bin'
else
	skip_check "in another root, without /proc" "user namespaces, and the root of another machine: bullseye (make roots)"
fi
if type busybox >/dev/null; then
	check "an auditor, and no module of ours" as_notify busybox env -i LD_AUDIT="$auditor" "$true"
	check "neither" as_notify busybox env -i "$true"
	check "a static program in its place" as_notify busybox env -i LD_AUDIT="$auditor" busybox true
	perhaps() { # what may have been missed is said
		sidebundle trace -b hybrid -o hybrid.trace -- busybox env -i "$@" 2>err
		expect_match '"lost":1[,}]' cat hybrid.trace && expect_match 'lost' cat err
	}
	check "what is preloaded by a path, and no module of ours" perhaps LD_PRELOAD="$auditor" "$true"
	check "by a name, or many directories, and none of ours" as_notify sh -c 'busybox env -i LD_PRELOAD=libm.so.6 "$0"
		busybox env -i LD_LIBRARY_PATH="$1" "$0"' "$true" "$(printf '/nowhere/%s:' {1..40})"
	# The directory of the program is looked for first, and lies where the name would.
	cp "$true" "$auditor" .
	check "an auditor that lies beside the program" as_notify busybox env -i LD_AUDIT="\$ORIGIN/${auditor##*/}" "./${true##*/}"
	check "an auditor that cannot be loaded" perhaps LD_AUDIT=/etc/passwd "$true"
	check "one that is loaded late" as_notify busybox env -i LD_DEBUG=libs LD_DEBUG_OUTPUT="$PWD/debug" LD_AUDIT="$auditor" "$true"
	# What else lies there is no name of a file, however it looks.
	cp "$auditor" /tmp/sidebundle-test.so
	again_and_again() {
		sidebundle trace -b hybrid -o hybrid.trace -- busybox sh -c 'i=0; while [ $((i += 1)) -le 300 ]; do env -i LD_AUDIT=/tmp/sidebundle-test.so "$0"; done' "$true" &&
			expect_output 300 grep -c '"event":"open".*"path":"/tmp/sidebundle-test.so"' hybrid.trace && ! grep '"hex"\|"lost":[1-9]' hybrid.trace
	}
	check "again and again" again_and_again
	rm /tmp/sidebundle-test.so
	check "our own preload counts for nothing" as_notify busybox sh -c 'unset LD_AUDIT; "$0"; :' "$true"
	check "directories that are searched first are none of it" as_notify busybox sh -c 'list=/nowhere; i=0
		while [ $((i += 1)) -le 60 ]; do env -i LD_LIBRARY_PATH="$list" "$0"; list=$list:/nowhere/$i; done' "$true"
	check "the second of two, the first of none" as_notify busybox env -i LD_AUDIT=":$auditor" "$true"
	if type gcc >/dev/null; then
		echo 'int main(void) { return 0; }' >audited.c && gcc audited.c -o audited -Wl,--audit="$auditor"
		check "one that the program names" as_notify busybox env -i ./audited
	fi
	if type musl-gcc >/dev/null; then
		echo '#include <stdio.h>
int main(void) { return !fopen("plain", "r"); }' >other.c && musl-gcc other.c -o other
		check "a linker that knows of no auditor" as_notify busybox env -i LD_AUDIT="$auditor" ./other
	fi
else
	skip_check "programs that lack our module" "the program busybox"
fi
twice() { # EVENT: of the kernel's and the module's telling there is one
	sidebundle trace -b hybrid -o once.trace sh -c 'cat /etc/passwd; : <plain' >/dev/null || return 1
	local n
	n=$(sidebundle show --format json --kind open once.trace | grep -c '"path":"/etc/passwd".*"count":1[,}]')
	[ "$n" -eq 1 ] || { echo "told $n times"; return 1; }
}
check "nothing is told twice" twice

# --- one numbering ------------------------------------------------------------------------------------------
tree() { # a process that the kernel tells of and one that tells of itself are one
	sidebundle trace -b hybrid -o tree.trace sh -c '(read -r x <plain); cat plain; true' &&
		sidebundle trace -b notify -o tree2.trace sh -c '(read -r x <plain); cat plain; true' || return 1
	sidebundle diff tree.trace tree2.trace || return 1
	[ "$(grep -c '^{"process"' tree.trace)" -eq "$(grep -c '^{"process"' tree2.trace)" ] ||
		{ grep '^{"process"' tree.trace tree2.trace; return 1; }
}
check "processes are those that notify knows" tree
# There, numbers mean other processes: who tells of himself is taken for nobody else, nor for two.
in_namespace() {
	sidebundle trace -b hybrid -o space.trace unshare -Urpf sh -c 'cat /etc/passwd; exec cat /etc/passwd' >/dev/null || return 1
	[ "$(grep -c '^{"process".*"exe":"[^"]*/cat"' space.trace)" -eq 2 ] &&
		[ "$(grep -c '^{"process".*"exe":"[^"]*/sh"' space.trace)" -eq 2 ] || { grep '^{"process"' space.trace; return 1; }
}
if has_userns && type unshare >/dev/null; then
	check "processes of another PID namespace" in_namespace
else
	skip_check "processes of another PID namespace" "user namespaces, and the program unshare"
fi
check "auto takes it" expect_match 'auto: takes hybrid' sidebundle trace --log-level info -o t true
check "but not within a trace" expect_match 'takes (ptrace|audit).*not hybrid' \
	sidebundle trace -b hybrid -o out.trace sidebundle trace --log-level info -o in.trace true
closed() { # refused, with the reason: it becomes no other backend
	expect_status 125 "$SB_TOOLS/lockdown" no-ptrace no-memory -- sidebundle trace -b hybrid -o closed.trace cat plain &&
		expect_match 'backend hybrid: the memory of a child may not be read.*-b audit' \
			"$SB_TOOLS/lockdown" no-ptrace no-memory -- sidebundle trace -b hybrid -o closed.trace cat plain
}
check "memory that is closed" closed
check "no log is left behind" no_stale_log
