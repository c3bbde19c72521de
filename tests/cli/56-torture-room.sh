# Where the log lives: full, missing, read-only and oddly named places.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
d=$(fresh d)
unset XDG_RUNTIME_DIR

# Runs a traced case where /dev/shm is another: in_shm MOUNT-OPTIONS NAME STATUS COMMAND...
export -f traced trace_into without_ours holds
export SB_BACKEND BLIND
in_shm() {
	local options=$1
	shift
	unshare -rm bash -c 'TRACE_OPTIONS=()
		mount -t tmpfs -o "$1" none /dev/shm || exit 9
		[ -z "$2" ] || dd if=/dev/zero of=/dev/shm/filler bs=4k 2>/dev/null
		[ -z "$3" ] || mount -o remount,bind,ro /dev/shm || exit 9
		shift 3
		traced "$@"' - "$options" "${FILL:-}" "${READ_ONLY:-}" "$@"
}
full() { FILL=1 in_shm size=1m "$@"; }
small() { in_shm size=4m "$@"; }
noexec() { in_shm size=1g,noexec "$@"; }
# Debug output of a trace where nothing in /dev/shm may be executed, and no disk has room.
noexec_says() {
	unshare -rm bash -c 'mount -t tmpfs -o size=1g,noexec none /dev/shm && mount -t tmpfs none /var/tmp && sidebundle --log-level debug trace -b audit -o says.trace true'
}
read_only() { READ_ONLY=1 in_shm size=1m "$@"; }
missing() {
	unshare -rm bash -c 'TRACE_OPTIONS=()
		touch null && mount --bind /dev/null null && mount -t tmpfs none /dev || exit 9
		touch /dev/null && mount --bind null /dev/null || exit 9
		traced "$@"' - "$@"
}
if has_userns; then
	check "a full /dev/shm" full full 0 "$T/threads" 50 0 "$d"
	check "a small /dev/shm" small small 0 "$T/forks" plain "$d" "$T/opens"
	check "a read-only /dev/shm" read_only read-only 0 "$T/threads" 50 0 "$d"
	# Libc's text is made there, and mapped to be executed: both modules do where it may not be.
	check "a noexec /dev/shm" noexec noexec 0 "$T/threads" 50 0 "$d"
	if ! sidebundle --log-level debug trace -b audit -o says.trace true 2>&1 | grep -q "libc's text stays"; then
		check "which is why libc's text stays as it is" \
			expect_match "libc's text stays as it is: map '/dev/shm/.*/libc' to be executed" noexec_says
	fi
	check "no /dev/shm" missing missing 0 "$T/threads" 50 0 "$d"

	# Nothing but $TMPDIR is left, and that is odd.
	tmpdir() { # TMPDIR NAME COMMAND...
		local TMPDIR=$1
		export TMPDIR
		shift
		full "$@"
	}
	mkdir -p "a b:c" "new
line" "quo'te\"\$x"
	check "TMPDIR with a space and a colon" tmpdir "$PWD/a b:c" tmp-space 0 "$T/storm" 20 5 "$T/opens" "$d"
	check "TMPDIR with a newline" tmpdir "$PWD/new
line" tmp-newline 0 "$T/storm" 20 5 "$T/opens" "$d"
	check "TMPDIR with quotes" tmpdir "$PWD/quo'te\"\$x" tmp-quote 0 "$T/storm" 20 5 "$T/opens" "$d"
	check "TMPDIR that is missing" tmpdir /nowhere tmp-missing 0 "$T/storm" 20 5 "$T/opens" "$d"
	check "TMPDIR that is relative" tmpdir . tmp-relative 0 "$T/storm" 20 5 "$T/opens" "$d"
	check "TMPDIR that is read-only" tmpdir /usr tmp-closed 0 "$T/storm" 20 5 "$T/opens" "$d"
else
	skip_check "a full /dev/shm" "user namespaces are refused here"
fi

# The program itself lies where LD_PRELOAD cannot name it.
odd_prefix() {
	local prefix=$PWD/$1 bad=0
	shift
	mkdir -p "$prefix" && cp -a "$SB_PREFIX/." "$prefix/" || return 1
	PATH=$prefix/bin:$PATH traced "$@" || bad=1
	rm -rf "$prefix"
	return $bad
}
check "installed below a space" odd_prefix "with space" prefix-space 0 "$T/storm" 20 5 "$T/opens" "$d"
check "installed below a colon" odd_prefix "with:colon" prefix-colon 0 "$T/storm" 20 5 "$T/opens" "$d"
check "installed below a dollar sign" odd_prefix "with\$LIB" prefix-dollar 0 "$T/storm" 20 5 "$T/opens" "$d"

check "no log is left behind" no_stale_log

# Whoever is traced may write to the log, and make it shorter.
cut_short() {
	# shellcheck disable=SC2016 # for the traced shell
	sidebundle trace -b audit -o cut.trace -- sh -c 'cat /etc/hostname; sleep 0.1
		exec truncate -s 0 "$(grep -o "/[^ ]*sidebundle-log[^ ]*/log" /proc/$$/maps | head -n1)"' >/dev/null 2>cut.says || return 1
	grep -q 'a program cut the log short' cut.says && tail -n1 cut.trace | grep -q '"end":true.*"why":"lost"' &&
		sidebundle show cut.trace --format paths | grep -qx /etc/hostname
}
check "a log that a program makes shorter" cut_short
