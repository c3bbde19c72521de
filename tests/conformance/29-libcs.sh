# The text of other libcs is replaced, too: the tracer runs with each of them, and so do the programs.
# backends: audit hybrid
# timeout: 180
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
[ "$(uname -m)" = x86_64 ] || skip "x86_64: elsewhere no text is replaced"
need gcc

mapped() { # FILE, at the end of a line of `maps`
	grep -q "$1\$" maps
}
one_module() { # PROGRAM
	sidebundle --log-level debug trace -b "$SB_BACKEND" -o maps.trace -- "$1" >maps 2>maps.log &&
		mapped "$TEXT" && ! mapped /sidebundle-preload.so || { cat maps.log; return 1; }
}
with() { # ROOT
	local lib=$SB_ROOTS/$1/lib/x86_64-linux-gnu d name cc
	if ! [ -d "$lib" ]; then
		# It changes every day, and is there for check-all alone.
		[ "$1" = sid ] || skip_check "with the libc of $1" "the root of another machine: $1 (make roots)"
		return
	fi
	d=$(fresh "$1.d")
	cc=(gcc "-Wl,--dynamic-linker=$lib/ld-linux-x86-64.so.2" "-Wl,-rpath,$lib")
	for name in maps newer cancelled fstats opens forks threads handler spawns; do
		build "$name.$1" "$name" "${cc[@]}" -lpthread -ldl || { cat "$name.$1.log"; return 1; }
	done
	check "$1: libc's text is the trace's, and there is one module" under "$1" one_module "./maps.$1"
	check "$1: what it has and others have not" under "$1" traced "newer.$1" 0 "./newer.$1" "$d"
	check "$1: fstat" under "$1" traced "fstats.$1" 0 "./fstats.$1" 100 "./fstats.$1"
	check "$1: threads cancelled in open and system" under "$1" traced "cancelled.$1" 0 "./cancelled.$1" "$(fresh "$1.c")"
	for how in plain vfork nested thread; do
		check "$1: fork, $how" under "$1" traced "fork-$how.$1" 0 "./forks.$1" $how "$d" "$PWD/opens.$1"
	done
	check "$1: 200 threads" under "$1" traced "threads.$1" 0 "./threads.$1" 200 0 "$d"
	check "$1: a signal handler that opens" under "$1" traced "handler.$1" 0 "./handler.$1" "$d"
	check "$1: every way to start a program" under "$1" traced "spawns.$1" 0 "./spawns.$1" "$PWD/opens.$1" "$(fresh "$1.s")"
	# Programs of another libc among them are started again, with both modules.
	check "$1: a shell of another libc" under "$1" same "sh.$1" sh -c 'cat /etc/hostname; "$1" 3 "$1"; ls / | wc -l' - "./fstats.$1"
}
with trixie
with sid
