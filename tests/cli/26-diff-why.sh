# diff on real traces of two backends each: why one of them did not see what the other saw.
# right: sys_admin
# timeout: 120
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
echo data >data
mkdir dir

works() { sidebundle trace -b "$1" -o /dev/null true >/dev/null 2>&1; }
# Those that see all system calls.
complete=()
for backend in hybrid notify ptrace; do works $backend && complete+=("$backend"); done
[ ${#complete[@]} -gt 0 ] || skip "a backend beside audit: $(sidebundle trace -b notify -o t true 2>&1)"

run() { # BACKEND[,OPTION...] COMMAND...: into BACKEND.t; a directory `dir`, empty
	local backend=${1%%,*} options=${1#"${1%%,*}"}
	shift
	rm -rf dir && mkdir dir
	# shellcheck disable=SC2086 # options, or none
	sidebundle trace -b "$backend" -o "$backend.t" ${options//,/ } -- "$@" >"$backend.out" 2>"$backend.err"
}
compare() { # A B [OPTION...]
	local a=${1%%,*} b=${2%%,*}
	shift 2
	sidebundle diff "$a.t" "$b.t" "$@" >diff.out 2>/dev/null
	[ $? -le 1 ] || { sidebundle diff "$a.t" "$b.t"; return 1; }
}
# A line for PATH (an ERE), of one side (<, > or !), with that class.
told() { # SIDE KIND CLASS PATH
	grep -qE "^$1  $2 +[^ ]+ +$3 +$4( |\$)" diff.out && return
	echo "no '$1 $2 $3 $4' in:"
	head -n 50 diff.out
	return 1
}
none_but() { # CLASS...: no differences of another one
	local class others
	others=$(grep '^[<>!]  ' diff.out)
	for class; do others=$(grep -v " $class  " <<<"$others"); done
	[ -z "$others" ] || { echo "$others"; return 1; }
}

# --- what only the modules cannot see ------------------------------------------------------------
static=$(command -v busybox) && file -L "$static" 2>/dev/null | grep -q static || static=
for other in "${complete[@]}"; do
	run audit "$SB_TARGETS/raw" "$SB_TARGETS/opens" "$PWD/dir"
	run "$other" "$SB_TARGETS/raw" "$SB_TARGETS/opens" "$PWD/dir"
	check "$other: compared" compare audit "$other"
	check "$other: raw system call" told '>' write 'raw system call' "$PWD/dir/by-creat"
	check "$other: by who made it" told '>' open 'raw system call' "$PWD/dir/none  \[$SB_TARGETS/raw\]"
	check "$other: what that started" told '>' open 'not run' "$PWD/dir/image  \[$SB_TARGETS/opens\]"

	if [ -n "$static" ]; then
		run audit busybox cat data
		run "$other" busybox cat data
		check "$other: compared with a static program" compare audit "$other"
		check "$other: static program" told '>' open 'static program' "$PWD/data"
		check "$other: and nothing else" none_but 'static program' timing 'inside libc'
	else
		skip_check "$other: static program" "the program busybox is missing, or not static"
	fi

	# Where its text may be neither replaced nor changed, libc's own opens go unseen: only its
	# functions are hooked.
	printf '#!/bin/sh\ngetent passwd root\nLC_ALL=de_DE.UTF-8 sort data\n' >lookup
	chmod +x lookup
	run audit "${WITHOUT_TEXT[@]}" "$SB_TARGETS/mdwe" ./lookup "$PWD/dir"
	if [ $? -ne 77 ]; then
		run "$other" "${WITHOUT_TEXT[@]}" "$SB_TARGETS/mdwe" ./lookup "$PWD/dir"
		check "$other: compared without detours" compare audit "$other"
		check "$other: inside libc: name services" told '>' open 'inside libc' /etc/passwd
		check "$other: inside libc: locales" told '>' open 'inside libc' '[^ ]*/locale/[^ ]*'
		check "$other: and nothing else, without detours" none_but 'inside libc' timing
	else
		skip_check "$other: inside libc" "a kernel with PR_SET_MDWE (6.3)"
	fi

	# What ended otherwise the second time, and names that change with every run.
	rm -f later
	run audit sh -c '[ -e later ]; mktemp -p dir'
	echo there >later
	run "$other" sh -c '[ -e later ]; mktemp -p dir'
	check "$other: compared a second run" compare audit "$other"
	check "$other: outcome" told '!' stat outcome "$PWD/later"
	check "$other: both of them" grep -qE '^!  stat +ENOENT/ok ' diff.out
	check "$other: timing" told '>' '(open|write)' timing "$PWD/dir/tmp\.[^ ]*"
	check "$other: of either" told '<' '(open|write)' timing "$PWD/dir/tmp\.[^ ]*"
	check "$other: and nothing else, a second time" none_but outcome timing "inside libc"
	check "$other: json says the same" test \
		"$(sidebundle diff --format json audit.t "$other.t" | grep -o '"class":"outcome"' | wc -l)" = \
		"$(grep -c '^!' <(grep '^!  ' diff.out))"
done

# --- what no system call was made for ----------------------------------------------------------------
ring_of() { # BACKEND
	run "$1" "$SB_TARGETS/uring" "$PWD/dir"
}
if works fanotify && ring_of notify,--io-uring=allow && tail -n 1 notify.t | grep -q '"why":"io_uring"'; then
	for other in "${complete[@]}"; do
		ring_of "$other,--io-uring=allow"
		ring_of fanotify
		check "$other: compared with files" compare "$other" fanotify -k open
		check "$other: io_uring" told '>' open io_uring "$PWD/dir/in-ring"
		check "$other: and nothing else of files" none_but io_uring timing
	done
	ring_of notify
	check "compared with itself, refused" compare notify fanotify -k open
	check "where it is refused, nothing but failures is missed" none_but timing "not watched"
else
	skip_check io_uring "io_uring, or marks on the mounts: CAP_SYS_ADMIN"
fi

# --- those that see everything -------------------------------------------------------------------------
session() { run "$1" sh -c 'ls -l / >/dev/null; cat data none; getent passwd root; cp data dir; mv dir/data dir/b; rm dir/b'; }
session "${complete[0]}"
for other in "${complete[@]:1}"; do
	session "$other"
	check "compared: ${complete[0]}, $other" compare "${complete[0]}" "$other"
	check "${complete[0]} and $other saw the same" none_but timing
done
