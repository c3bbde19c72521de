# A program sees in every run mode what it sees without us: of itself, of its surroundings, of its machine.
# shellcheck disable=SC2016 # for other shells
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/modes/mode.sh"

app=$SB_SHARED/aspects-$SB_MODE b=$PWD/moved/b
mkdir -p "$app" moved
cp "$SB_TARGETS/aspects" "$app/aspects" && cp "$SB_TARGETS/user_module" "$app/plugin.so" || exit 1
# Locales and time zones of this machine beyond those that libc has in itself.
locale=$(locale -a 2>/dev/null | grep -vE '^(C|POSIX|C\..*)$' | head -n 1)
# As any user has it: what a closed directory in it hides is no matter of ours.
export PATH=/usr/local/bin:/usr/bin:/bin
# By the system calls: libc opens zones and tables of character sets behind the back of its own names.
"$SB_PREFIX/bin/sidebundle" create --out-dir . --name b --trace-backend notify --run-mode "$SB_MODE" \
	--from-host "$app/aspects::trace=users::trace=hosts::trace=zones::trace=iconv::trace=locale${locale:+::trace=locale $locale}::trace=dlopen $app/plugin.so::trace=children $app/aspects::trace=again" \
	>create.log 2>&1 || { cat create.log; exit 1; }
mv b moved/ && chmod -R a-w moved/b

native() { env -u _ "$app/aspects" "$@"; }
bundled() { env -u _ "$b/bin/aspects" "$@"; }
same() { expect_same native "$@" -- bundled "$@"; }

# --- itself
named() { # ARGV0 ARG...
	local name=$1
	shift
	expect_same bash -c 'exec -a "$@"' - "$name" "$app/aspects" "$@" -- bash -c 'exec -a "$@"' - "$name" "$b/bin/aspects" "$@"
}
mode_check "arguments" named '' argv 'a b' '' '*' $'\n' "$(head -c 60000 /dev/zero | tr '\0' x)"
mode_check "argv[0]" named /odd/name argv
mode_check "/proc/self/exe and the name of the process" same exe
mode_check "/proc/self/exe is the original path" same exe-path
mode_check "environment" same environ
few_own() { expect_output $'A=1\nB=x y' env -i A=1 'B=x y' "$b/bin/aspects" environ; }
mode_check "an environment of two variables" few_own
mode_check "it can execute itself" same again
mode_check "children by every way" same children "$app/aspects"

# --- what it was started with
mode_check "current directory" same cwd
linked() { mkdir -p real && ln -sfn real link && (cd link && same cwd); }
mode_check "current directory through a link" linked
mode_check "descriptors" same descriptors 5</dev/null 7>>out 9<>out
mode_check "descriptors that are closed" expect_same bash -c 'exec "$@" descriptors <&- 2>&-' - "$app/aspects" -- \
	bash -c 'exec "$@" descriptors <&- 2>&-' - "$b/bin/aspects"
mode_check "signals, limits, mask, session" same process
ignoring() { (trap '' HUP CHLD PIPE && umask 027 && ulimit -n 200 && same process); }
mode_check "those that are not the default" ignoring
piped() { [ "$(printf 'a\0b\n' | bundled copy 2>/dev/null | od -c)" = "$(printf 'a\0b\n' | od -c)" ]; }
mode_check "stdin" piped
large() { [ "$(head -c 3000000 /dev/urandom | tee sent | bundled copy 2>/dev/null | cksum)" = "$(cksum <sent)" ]; }
mode_check "three megabytes of it" large
mode_check "stdout and stderr are two" same copy
same_pid() {
	"$b/bin/aspects" pid >pid &
	wait $! && [ "$(cut -d' ' -f1 pid)" = $! ]
}
mode_check "the process is the one that was started" same_pid

# --- how it ends
for status in 0 1 42 125 255; do mode_check "status $status" same status "$status"; done
# Not by the shell, which has more to say of it than the status.
ends_by() { # SIGNAL
	local want=$((128 + $1)) got
	got=$(bundled signal "$1" 2>&1; echo $?)
	[ "${got##*$'\n'}" = "$want" ]
}
for signal in 6 9 11 15; do mode_check "signal $signal" ends_by "$signal"; done
killed() { # SIGNAL
	local status=0
	mkfifo "hold.$1"
	sleep 60 >"hold.$1" &
	local holder=$!
	"$b/bin/aspects" copy <"hold.$1" >started 2>&1 &
	local pid=$! i
	for i in {1..100}; do
		grep -q 'aspects' "/proc/$pid/comm" "/proc/$pid/task/$pid/children" 2>/dev/null && break
		sleep 0.02
	done
	kill -"$1" $pid
	wait $pid || status=$?
	kill $holder
	rm -f "hold.$1"
	[ "$status" -eq $((128 + $(kill -l "$1"))) ]
}
for signal in TERM HUP USR1 KILL; do mode_check "$signal from outside ends it" killed $signal; done
many() {
	local i pids=() bad=0
	for i in {1..12}; do
		(bundled status $((i + 10)); [ $? -eq $((i + 10)) ]) &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || bad=1; done
	return $bad
}
mode_check "many at once" many

# --- a terminal
on_terminal() { # PROGRAM [KEYS]: what it prints on a terminal of 33 x 101, and how it ends
	python3 - "$@" <<-'END'
		import fcntl, os, pty, struct, sys, termios
		pid, fd = pty.fork()
		if pid == 0:
		    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
		    os.execv(sys.argv[1], sys.argv[1:3] )
		out = b""
		if len(sys.argv) > 3:
		    os.write(fd, b"x\n")
		    while b"x\r\nx\r\n" not in out:
		        out += os.read(fd, 1000)
		    os.write(fd, sys.argv[3].encode())
		while True:
		    try:
		        piece = os.read(fd, 1000)
		    except OSError:
		        break
		    if not piece:
		        break
		    out += piece
		# The kernel's echo of the key comes late where the program ends at once.
		print(out.decode().replace("^C", ""), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
	END
}
# What is typed is echoed, too; stdio writes a line at once there.
if command -v python3 >/dev/null; then
	mode_check "a terminal" expect_same on_terminal "$app/aspects" terminal -- on_terminal "$b/bin/aspects" terminal
	mode_check "one of its own, on a terminal" expect_same on_terminal "$app/aspects" own-terminal -- on_terminal "$b/bin/aspects" own-terminal
	mode_check "its interrupt key" expect_same on_terminal "$app/aspects" copy $'\x03' -- on_terminal "$b/bin/aspects" copy $'\x03'
	mode_check "its end of file" expect_same on_terminal "$app/aspects" copy $'\x04' -- on_terminal "$b/bin/aspects" copy $'\x04'
else
	skip_check "a terminal" "the program python3 is missing"
fi
mode_check "no terminal" same terminal
mode_check "one of its own" same own-terminal

# --- the machine
mode_check "names of users" same users
mode_check "names of hosts" same hosts
mode_check "time zones" same zones
mode_check "the zone of TZ" expect_same env TZ=America/New_York "$app/aspects" zones -- env TZ=America/New_York "$b/bin/aspects" zones
mode_check "character sets" same iconv
mode_check "locale of the environment" same locale
mode_check "locale C" same locale C
if [ -n "$locale" ]; then
	mode_check "locale $locale" same locale "$locale"
else
	skip_check "another locale" "a locale beside C"
fi
mode_check "libraries and plugins loaded by name" same dlopen "$app/plugin.so"
mode_check "files and devices" same files

# --- the bundle itself
again_inside() { expect_same native children "$app/aspects" -- bundled children "$b/bin/aspects"; }
case $SB_MODE in
host | namespace) mode_check "the bundle from inside itself" again_inside ;;
esac
unwritten() { [ -z "$(find "$b" -newer create.log -type f -writable)" ]; }
mode_check "nothing in the bundle is written to" unwritten
