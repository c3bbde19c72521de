# What every whole-program case starts with:
#
#	. "$SB_TESTS/cli/lib.sh"
#
# The case runs in an empty directory of its own, as an unprivileged account where root runs the
# tests, with `sidebundle` on PATH, $SB_TARGETS (tests/targets, built), $SB_TOOLS (tests/tools,
# built), $SB_TESTS (tests/), $SB_PREFIX (the installed program), its own $HOME and $TMPDIR.
# Header lines `# slow` (check-all only), `# timeout: SECONDS` (default 180) and `# right: sys_admin`
# (with that capability, where root runs the tests) steer the runner.
# Several checks a script:
#
#	check NAME COMMAND...         passes when COMMAND succeeds
#	skip WHY                      ends the script, naming the missing right
#	skip_check NAME WHY           one check
#	need userns|root NAME|PROGRAM...  skips the script when it is missing
#
# and, as COMMAND of a check or anywhere: expect_status, expect_output, expect_match, expect_same,
# expect_files, as_other_machine.
set -u
export LC_ALL="${LC_ALL:-C.UTF-8}"
cd "$SB_WORK" || exit 1
_failed=0
_finish() { # STATUS
	[ "$1" -eq 0 ] || exit "$1"
	exit $_failed
}
trap '_finish $?' EXIT

_result() { printf '%s\t%s\t%s\n' "$1" "$SB_CASE: $2" "${3:-}" >>"$SB_RESULTS"; }

check() { # NAME COMMAND...
	local name=$1
	shift
	if "$@"; then
		_result pass "$name"
		echo "ok: $name"
	else
		_result fail "$name"
		_failed=1
		echo "NOT OK: $name"
	fi
}

skip() { # WHY
	_result skip all "$1"
	echo "skipped: $1"
	exit 77
}

skip_check() { # NAME WHY
	_result skip "$1" "$2"
	echo "skipped: $1: $2"
}

has_userns() { "$SB_TOOLS/enter" --user-only --probe 2>/dev/null; }

# A usable machine of that name: `bare` is empty, the others are what `make roots` made.
has_root() { # NAME
	[ -d "$SB_ROOTS/$1" ] && "$SB_TOOLS/enter" --probe 2>/dev/null
}

need() {
	while [ $# -gt 0 ]; do
		case $1 in
		userns) has_userns || skip "user namespaces are refused here" ;;
		root)
			has_root "$2" || skip "the root of another machine: $2 (make roots)"
			shift
			;;
		*) command -v "$1" >/dev/null || skip "the program $1 is missing" ;;
		esac
		shift
	done
}

# --- expectations: 0 as expected, 1 with a line that tells -------------------------------------------
expect_status() { # STATUS COMMAND...
	local want=$1 got=0
	shift
	"$@" || got=$?
	[ "$got" -eq "$want" ] && return 0
	echo "status $got, not $want: $*"
	return 1
}

expect_output() { # TEXT COMMAND...: exactly that on stdout (a last newline aside), status 0
	local want=$1 got status=0
	shift
	got=$("$@") || status=$?
	[ "$status" -eq 0 ] && [ "$got" = "$want" ] && return 0
	printf 'status %s, printed:\n%s\nnot:\n%s\nby: %s\n' "$status" "$got" "$want" "$*"
	return 1
}

expect_match() { # ERE COMMAND...: a line of stdout or stderr matches; the status is not looked at
	local want=$1 got
	shift
	got=$("$@" 2>&1)
	grep -qE -- "$want" <<<"$got" && return 0
	printf 'nothing matches %s in:\n%s\nby: %s\n' "$want" "$got" "$*"
	return 1
}

_capture() { # PREFIX COMMAND...
	local to=$1 status=0
	shift
	"$@" >"$to.out" 2>"$to.err" </dev/null || status=$?
	echo "$status" >"$to.status"
}

# No log of ours is left that nobody holds any more: those of cases that run beside this one are locked.
no_stale_log() {
	local dir text
	for dir in /dev/shm/sidebundle-log-* /var/tmp/sidebundle-log-* "$TMPDIR"/sidebundle-log-*; do
		# One that is being made or removed right now is neither locked nor left behind.
		for _ in 1 2 3 4; do
			[ -O "$dir" ] && { [ ! -e "$dir/log" ] || flock -n "$dir/log" true; } || continue 2
			sleep 0.2
		done
		echo "left behind: $dir"
		return 1
	done
	for text in /var/tmp/sidebundle-libc-*; do
		for _ in 1 2 3 4; do
			[ -O "$text" ] && [ -z "$(ls -d {/dev/shm,/var/tmp,"$TMPDIR"}/sidebundle-log-"${text##*-}" 2>/dev/null)" ] || continue 2
			sleep 0.2
		done
		echo "left behind: $text"
		return 1
	done
}

# What _capture took to PREFIX-A and PREFIX-B is the same: _same_captures PREFIX-A PREFIX-B WHAT-B
_same_captures() {
	local part bad=0
	for part in status out err; do
		cmp -s "$1.$part" "$2.$part" && continue
		echo "$part differs (- original, + $3):"
		diff -u "$1.$part" "$2.$part" | head -n 40
		bad=1
	done
	return $bad
}

# Same status, stdout and stderr: expect_same ls -l / -- bundle/bin/ls -l /
expect_same() {
	local -a left=()
	local bad=0 dir
	while [ $# -gt 0 ] && [ "$1" != -- ]; do
		left+=("$1")
		shift
	done
	shift
	dir=$(mktemp -d)
	_capture "$dir/a" "${left[@]}"
	_capture "$dir/b" "$@"
	_same_captures "$dir/a" "$dir/b" "$*" || bad=1
	rm -rf "$dir"
	return $bad
}

# Every path given is among the lines of FILE: expect_files FILE PATH...
expect_files() {
	local list=$1 path bad=0
	shift
	for path; do
		grep -qxF -- "$path" "$list" && continue
		echo "not in $list: $path"
		bad=1
	done
	return $bad
}

# Runs a command on another machine: in the root NAME, with DIR (a bundle) read-only at the same path
# or at AT, an empty $HOME, a fresh /tmp, /proc and /dev of this kernel, as the account.
#	as_other_machine bare "$PWD/b" /bundle /bundle/bin/ls /
as_other_machine() { # NAME DIR AT COMMAND...
	local root=$SB_ROOTS/$1 dir=$2 at=$3
	shift 3
	"$SB_TOOLS/enter" --root "$root" --ro-bind "$dir" "$at" -- "$@"
}
