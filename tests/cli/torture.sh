# What the torture cases share; source it after lib.sh.
#
#	traced NAME STATUS COMMAND...	runs COMMAND traced into NAME.trace, with NAME.out and NAME.err; it
#					must exit with STATUS, say nothing on stderr but what we say,
#					and do what it printed (tests/tools/holds). Further lines for
#					holds stand in NAME.also. TRACE_OPTIONS goes to `trace`.
#	same NAME COMMAND...		runs COMMAND untraced and traced: status, stdout and stderr agree
#					(env keeps the shell's $_ out of both), and it did what it
#					printed
#	"${WITHOUT_TEXT[@]}" COMMAND...	to be traced by audit: COMMAND gets both of its modules
#	under ROOT COMMAND...		the tracer that COMMAND calls runs with the libc of that machine's root:
#					so it is that one whose text it replaces
#	build NAME SOURCE CC...		compiles tests/targets/SOURCE.c into ./NAME
#
# SB_BACKEND is the backend that watches; what it is documented not to see stands in
# tests/conformance/blind, by NAME.
# shellcheck disable=SC2034 # the cases name their programs by it
T=$SB_TARGETS
TRACE_OPTIONS=()
: "${SB_BACKEND:=audit}"
BLIND=$SB_TESTS/conformance/blind/$SB_BACKEND

# What a process's maps call libc's text, where it is the trace's: in memory, or on a disk.
TEXT='/sidebundle-\(log-[^/]*/libc\|libc-[^/]*\)'
# What runs the rest of its command line as if libc's text could not be replaced: with both modules.
# shellcheck disable=SC2016 # for another shell
WITHOUT_TEXT=(sh -c 'log=$(sed -n "s,.* \(/.*/sidebundle-log-[^/]*\)/log\$,\1,p" /proc/self/maps | head -n 1)
	rm -f "${log:+$log/libc}" "${log:+/var/tmp/sidebundle-libc-${log##*-}}"; exec "$@"' -)

under() { # ROOT COMMAND...
	local root=$1 lib=$SB_ROOTS/$1/lib/x86_64-linux-gnu PATH=$PWD/under.$1:$PATH
	shift
	mkdir -p "under.$root"
	printf "#!/bin/sh\nSIDEBUNDLE_LIBEXEC='%s' exec '%s' --library-path '%s' '%s' \"\$@\"\n" "$SB_PREFIX/libexec/sidebundle" \
		"$lib/ld-linux-x86-64.so.2" "$lib" "$SB_PREFIX/bin/sidebundle" >"under.$root/sidebundle"
	chmod 755 "under.$root/sidebundle"
	"$@"
}

# The user's own stderr, without the lines that the tracer adds to it.
without_ours() { grep -v '^sidebundle: ' "$1"; }

trace_into() { # NAME COMMAND...
	local name=$1
	shift
	env -u _ sidebundle trace -b "$SB_BACKEND" -o "$name.trace" ${TRACE_OPTIONS[@]+"${TRACE_OPTIONS[@]}"} -- "$@" \
		>"$name.out" 2>"$name.err"
}

traced() { # NAME STATUS COMMAND...
	local name=$1 want=$2 got=0 bad=0
	shift 2
	trace_into "$name" "$@" || got=$?
	if [ "$got" -ne "$want" ]; then
		echo "status $got, not $want: $*"
		bad=1
	fi
	if without_ours "$name.err" >"$name.noise" || [ $bad -ne 0 ]; then
		echo "on stderr:"
		head -n 10 "$name.err"
		bad=1
	fi
	touch "$name.also"
	cat "$name.out" "$name.also" | holds "$name" || bad=1
	return $bad
}

# stdin against the trace NAME.
holds() { # NAME
	"$SB_TOOLS/holds" --blind "$BLIND" "$1" "$1.trace"
}

# Without the lines that a program prints otherwise under this backend, as documented.
comparable() { # FILE
	local shows
	shows=$(sed -n 's/^accept differs //p' "$BLIND")
	grep -vE -- "${shows:-^\$. never}" "$1"
}

same() { # NAME COMMAND...
	local name=$1 part bad=0 status=0
	shift
	env -u _ "$@" >"$name.plain.out" 2>"$name.plain.err" </dev/null || status=$?
	echo "$status" >"$name.plain.status"
	status=0
	trace_into "$name" "$@" </dev/null || status=$?
	echo "$status" >"$name.status"
	without_ours "$name.err" >"$name.noise"
	mv "$name.noise" "$name.err"
	for part in status out err; do
		cmp -s <(comparable "$name.plain.$part") <(comparable "$name.$part") && continue
		echo "$part differs (- untraced, + traced): $*"
		diff -u "$name.plain.$part" "$name.$part" | head -n 40
		bad=1
	done
	touch "$name.also"
	cat "$name.out" "$name.also" | holds "$name" >"$name.sums" || { cat "$name.sums"; bad=1; }
	return $bad
}

build() { # NAME SOURCE CC...
	local name=$1 source=$2
	shift 2
	"$@" -D_GNU_SOURCE -I"${SB_TESTS%/*}" -o "$name" "$SB_TESTS/targets/$source.c" 2>"$name.log"
}

# Further lines that the trace NAME is held against: also NAME LINE...
also() {
	local name=$1
	shift
	printf '%s\n' "$@" >>"$name.also"
}

# An empty directory, by its real name.
fresh() { # NAME
	rm -rf "${PWD:?}/${1:?}"
	mkdir -p "$PWD/$1" && (cd "$1" && pwd -P)
}
