# fanotify: what the kernel tells of the command's opens and execs, and of nobody else's.
# right: sys_admin
# timeout: 120
. "$SB_TESTS/cli/lib.sh"

if ! sidebundle trace -b fanotify -o t true 2>why; then
	# As an ordinary user: a clear word, and no trace.
	check "refused with the reason and the remedy" grep -qE 'CAP_SYS_ADMIN|CAP_PERFMON|CONFIG_' why
	skip "marks on the mounts: $(tail -n 1 why)"
fi

traced() { sidebundle trace -b fanotify -o t "$@"; }
events() { # KIND: path by path, of the trace t
	sidebundle show t --kind "$1" --format paths
}
has() { # KIND PATH...
	events "$1" >seen
	shift
	expect_files seen "$@"
}
hasnt() { # KIND PATH
	! events "$1" | grep -qxF -- "$2"
}
closed() { tail -n 1 t | grep -q '^{"end":true,.*"lost":0,"blind":\[\]'; }

# --- the command's own ------------------------------------------------------------------------------
mkdir real && echo x >real/file && ln -s real link
traced sh -c 'cat link/file; cat nothing; ls real; echo y >made' >out 2>&1
check "its real names" has open "$PWD/real/file" "$PWD/real" "$(realpath /lib64/ld-linux-x86-64.so.2 2>/dev/null || echo "$PWD/real")"
check "its programs" has exec "$(realpath /bin/sh)" "$(realpath /bin/cat)" "$(realpath /bin/ls)"
check "what it wrote to" has write "$PWD/made"
check "which is not what it read" hasnt open "$PWD/made"
check "the trace is closed, nothing lost" closed
check "status" expect_status 7 traced sh -c 'exit 7'
check "status of a signal" expect_status 143 traced sh -c 'kill $$'
check "127: not found" expect_status 127 traced no-such-program
check "124: time-out" expect_status 124 sidebundle trace -b fanotify --timeout 0.3 -o t sh -c 'sleep 60 & sleep 60'
check "nobody is left" bash -c '! pgrep -u "$(id -u)" -f "^sleep 60$"'

cat >script <<-'X'
	#!/bin/sh
	exec 3<>both
	(echo z >&3)
	exec /bin/cat real/file
X
chmod +x script
traced ./script >/dev/null
check "a script and its interpreter" has exec "$PWD/script" "$(realpath /bin/sh)" "$(realpath /bin/cat)"
check "opened by the shell, closed by what it became" has write "$PWD/both"

if command -v cc >/dev/null; then
	# It is known by being named in the program, not by what it is called.
	linker=$(readlink -f "$(readelf -l "$(realpath /bin/cat)" | sed -n 's/.*interpreter: \(.*\)].*/\1/p')")
	cp "$linker" starter && ln -s starter starts
	echo 'int main(void) { return 0; }' | cc -x c - -o named -Wl,--dynamic-linker="$PWD/starts"
	traced ./named
	check "a dynamic linker of another name" has open "$PWD/starter"
	check "which is no program that was started" hasnt exec "$PWD/starter"
	traced ./starter ./named
	check "but where it was" has exec "$PWD/starter"
else
	skip_check "a dynamic linker of another name" "the program cc is missing"
fi

# --- nobody else's ------------------------------------------------------------------------------------
mkdir other && echo x >other/file
(while [ -e other/file ]; do cat other/file >/dev/null; done) &
noise=$!
traced sh -c 'for i in $(seq 200); do /bin/true; done'
check "none of another process's events" hasnt open "$PWD/other/file"
check "none of them as an exec either" test "$(events exec | grep -c /bin/cat)" = 0
rm other/file
wait "$noise"
check "200 children, each gone before we look" test "$(sidebundle show t --kind exec | grep -cE '/true( |$)')" = 200
traced sh -c '(setsid sh -c "until [ -e go ]; do sleep 0.05; done" &) >/dev/null 2>&1'
: >go
check "who lives on is noted" bash -c 'tail -n 1 t | grep -q "\"why\":\"outlived\""'
# Until the command has ended, and is waited for.
sidebundle trace -b fanotify --wait-all -o t sh -c \
	'(setsid sh -c "while kill -0 $$; do sleep 0.05; done; cat real/file >late" &) >/dev/null 2>&1'
check "or waited for, whoever its parent is by now" has open "$PWD/real/file"
check "then nobody is left" closed

# --- what others do not see ------------------------------------------------------------------------
if command -v busybox >/dev/null && file -L "$(command -v busybox)" 2>/dev/null | grep -q static; then
	traced busybox sh -c 'busybox cat real/file' >/dev/null
	check "a static program" has open "$PWD/real/file"
else
	skip_check "a static program" "the program busybox is missing, or not static"
fi
[ -x "$SB_TARGETS/uring" ] && {
	ring=$(mktemp -d)
	traced "$SB_TARGETS/uring" "$ring" >/dev/null
	check "what io_uring opens" bash -c 'sidebundle show t --format paths | grep -q "^$1/"' - "$ring"
}
if has_userns && command -v bwrap >/dev/null; then
	# It wants either all rights or none. Nothing tells it that the name was looked up, in its namespace.
	traced setpriv --inh-caps=-all --ambient-caps=-all \
		bwrap --ro-bind / / --dev /dev --bind real /mnt sh -c 'cat /mnt/file; sleep 0.2' >out
	check "in a mount namespace, by the name that it has there" grep -qx x out
	check "and by the one that it has here" has open "$PWD/real/file"
else
	skip_check "in a mount namespace, by the name that it has there" "user namespaces, or the program bwrap"
fi
if has_userns; then
	mkdir -p mnt another
	# The tracer's marks tell from outside what it has come to know of.
	marks() { cat "/proc/$1/fdinfo/"* 2>/dev/null | grep -c '^fanotify sdev:'; }
	# Runs SCRIPT in namespaces of its own. `turn N` in it waits until the tracer has so many marks more than at the
	# beginning as the Nth of TURNS says.
	in_turns() { # SCRIPT TURNS...
		local script=$1 tracer n=1 base i
		shift
		rm -f ready turn*
		sidebundle trace -b fanotify -o t setpriv --inh-caps=-all --ambient-caps=-all unshare -Urm sh -c \
			"turn() { until [ -e turn\$1 ]; do sleep 0.02; done; }; : >ready; turn 0; $script" >out 2>&1 &
		tracer=$!
		until [ -e ready ]; do sleep 0.02; done
		base=$(marks "$tracer")
		: >turn0
		for more in "$@"; do
			for ((i = 0; i < 500; i++)); do
				[ "$(marks "$tracer")" -ne $((base + more)) ] || break
				sleep 0.02
			done
			: >"turn$n"
			n=$((n + 1))
		done
		wait "$tracer"
	}
	noted() { # COUNT PATH
		tail -n 1 t | grep -qF "\"blind\":[{\"why\":\"mounted\",\"path\":\"$2\",\"count\":$1}]" || { tail -n 1 t; return 1; }
	}
	wrote_late() { grep "^{\"event\":\"write\"" t | grep -qF "\"path\":\"$PWD/mnt/late\""; }
	# Each of the two may get the number that the other had. What was not read yet holds the mount.
	in_turns 'mount -t tmpfs one mnt && turn 1 && echo x >mnt/late && cat mnt/late &&
		until umount mnt 2>/dev/null; do sleep 0.02; done && turn 2 &&
		mount -t tmpfs two mnt && turn 3' 1 0 1
	check "what is mounted under way is watched" wrote_late
	check "and noted, each time, as it may have been used before" noted 2 "$PWD/mnt"
	check "in our words, too" grep -q 'not watched from the beginning' out
	# Both changes in one look: the tracer sleeps from before the one until after the other.
	in_one_look() {
		local tracer
		rm -f ready one two go*
		until_there() { until [ -e "$1" ]; do sleep 0.02; done; }
		sidebundle trace -b fanotify -o t setpriv --inh-caps=-all --ambient-caps=-all unshare -Urm sh -c '
			go() { until [ -e "go$1" ]; do sleep 0.02; done; }
			: >ready; go 0; mount -t tmpfs one mnt && : >one; go 1; umount mnt && mount -t tmpfs two mnt && : >two
			go 2; echo x >mnt/late && cat mnt/late; sleep 0.2' >out 2>&1 &
		tracer=$!
		until_there ready && base=$(marks "$tracer") && : >go0 && until_there one || return 1
		for _ in $(seq 500); do
			[ "$(marks "$tracer")" -eq "$base" ] || break
			sleep 0.02
		done
		kill -STOP "$tracer" && : >go1 && until_there two && kill -CONT "$tracer" || return 1
		for _ in $(seq 500); do
			[ "$(marks "$tracer")" -eq "$base" ] || break
			sleep 0.02
		done
		: >go2
		wait "$tracer"
		wrote_late && noted 2 "$PWD/mnt"
	}
	check "one that took the number of another, between two looks" in_one_look
	# The second one is looked at after the first.
	in_turns 'mount --bind real mnt && mount -t tmpfs one another && turn 1' 1
	check "but not what was watched already, by another name" noted 1 "$PWD/another"
else
	skip_check "what is mounted under way is watched" "user namespaces"
fi
set_id=$(command -v chfn)
if [ -n "$set_id" ] && [ -u "$set_id" ]; then
	traced "$set_id" --help >/dev/null 2>&1
	check "set-id programs are seen, and named no blind spot" has exec "$(realpath "$set_id")"
	check "and keep their rights" closed
fi
check "fifos and devices are left alone" expect_output ok bash -c '
	mkfifo f
	sidebundle trace -b fanotify -o t sh -c "cat <f >got & echo ok >f; wait"
	cat got'
