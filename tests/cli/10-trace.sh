# trace: the command runs as it would untraced, the trace file is what it should be, exit codes.
. "$SB_TESTS/cli/lib.sh"

traced() { sidebundle trace -o t "$@"; }
closed() { tail -n 1 t | grep -q '^{"end":true,'; }
paths() { sidebundle show --format paths "$@" t; }
sees() { # OPTION... -- PATH...
	local -a options=()
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	paths "${options[@]}" >seen
	expect_files seen "$@"
}
blind() { tail -n 1 t | grep -o '"why":"[a-z-]*","path":"[^"]*"'; }

# --- exit codes ------------------------------------------------------------------------------------
check "status 0" expect_status 0 traced true
check "the command's status" expect_status 7 traced sh -c 'exit 7'
check "128 and the signal" expect_status 143 traced sh -c 'kill -TERM $$'
check "a killed command's trace is closed" closed
check "127: not found" expect_status 127 traced no-such-program
check "127: not there" expect_status 127 traced ./no-such-program
: >plain
check "126: not executable" expect_status 126 traced ./plain
check "126: a directory" expect_status 126 traced /etc
check "125: nowhere to write" expect_status 125 sidebundle trace -o no/such/dir true
check "2: no command" expect_status 2 sidebundle trace
check "2: nothing is run under off" expect_status 2 traced -b off true
check "2: no such backend" expect_status 2 traced -b wishful true
check "and tells which there are" expect_match "'wishful' is none of auto, .*audit" traced -b wishful true
check "2: off watches nothing" expect_status 2 traced -b off true
check "and tells what to use" expect_match 'off runs nothing: .*use deps, or create --from-host' traced -b off true
check "2: a timeout of no time" expect_status 2 traced --timeout 0 true
check "one line says it" test "$(traced no-such-program 2>&1 | wc -l)" = 1
check "auto says which it took, as doctor does" \
	expect_match "auto: takes $(sidebundle doctor | awk '$1 == "auto" { print $3; exit }')" \
	sidebundle --log-level info trace -o t true

# --- the file --------------------------------------------------------------------------------------
rm -f t
check "made before the command starts, private" expect_output 600 traced sh -c 'stat -c %a t'
check "an older one of another mode, too" bash -c 'chmod 666 t; sidebundle trace -o t true; [ "$(stat -c %a t)" = 600 ]'
check "a default name" bash -c 'sidebundle trace true && [ -s sidebundle.trace ]'
traced sh -c 'cat t >/dev/null; ls / >/dev/null'
check "is not in its own events" bash -c '! sidebundle show t --format paths | grep -qx "$PWD/t"'
check "nor are our own files" bash -c '! sidebundle show t | grep -E "sidebundle-(log|preload|audit)"'
check "may go to a pipe" bash -c 'sidebundle trace -o /dev/stderr true 2>&1 | tail -n 1 | grep -q ^{.end'
API_TOKEN=hush MY_SECRET=hush DB_PASSWORD=hush DB_PASS=hush DB_PWD=hush AWS_REGION=hush SSH_KEY=hush PLAIN=kept traced true
check "secret-looking variables are not stored" bash -c '! grep -q hush t && grep -q PLAIN=kept t'

# --- as untraced -----------------------------------------------------------------------------------
check "stdin, stdout and stderr are its own" expect_output "ab" \
	bash -c 'printf ab | sidebundle trace -o t cat 2>/dev/null'
check "nothing is printed beside" expect_same sh -c 'echo out; echo err >&2; exit 3' -- \
	sidebundle trace -o t sh -c 'echo out; echo err >&2; exit 3'
check "descriptors" expect_same sh -c 'cd /proc/self/fd; echo *' -- \
	sidebundle trace -o t sh -c 'cd /proc/self/fd; echo *'
check "signals" expect_same grep -E '^Sig(Blk|Ign|Cgt)|^Shd' /proc/self/status -- \
	sidebundle trace -o t grep -E '^Sig(Blk|Ign|Cgt)|^Shd' /proc/self/status
check "ignored signals" expect_same bash -c "trap '' INT PIPE CHLD XFSZ; exec grep ^SigIgn /proc/self/status" -- \
	bash -c "trap '' INT PIPE CHLD XFSZ; exec sidebundle trace -o t grep ^SigIgn /proc/self/status"
check "limits" expect_same bash -c 'ulimit -Sf 4000; sh -c "ulimit -f"' -- \
	bash -c 'ulimit -Sf 4000; sidebundle trace -o t sh -c "ulimit -f"'
variables() { env -u _ "$@" env | grep -v '^_=' | sort; }
check "environment" test "$(variables)" = "$(variables sidebundle trace -o t)"

# --- what is seen ----------------------------------------------------------------------------------
mkdir -p real && ln -sfn real link && echo x >real/file
traced sh -c 'cat link/file; cat nothing; cd link && cat ./file; cat ../link/../real/file' >/dev/null 2>&1
check "real paths" sees -- "$PWD/real/file" /usr/bin/cat
check "as named" sees --as-named -- "$PWD/link/file" "$PWD/real/file" \
	"$PWD/real/../link/../real/file"
check "what failed" sees --failed -- "$PWD/nothing"
check "what failed is not among what worked" bash -c '! sidebundle show --format paths t | grep nothing'
printf '#!/bin/sh\ncat /etc/hostname\n' >script && chmod +x script
traced ./script >/dev/null
check "a script, its interpreter, and what they use" sees --kind exec,open -- \
	"$PWD/script" "$(realpath /bin/sh)" "$(realpath /bin/cat)" "$(realpath /etc/hostname)"
printf 'cat /etc/hostname\n' >bare && chmod +x bare
check "a script without a first line, as execvp does it" expect_status 0 traced ./bare
traced sh -c 'echo 1 >made; echo 2 >>made; rm made; echo 3 >>real/file; mkdir d; mv d e; ln -s x l'
existed() { sidebundle show --format json --kind write t | grep -F "\"path\":\"$PWD/$1\"" | grep -o '"existed":[a-z]*' | sort -u; }
check "a file that was made is new, whoever writes it next" expect_output '"existed":false' existed made
check "a file that was there is not" expect_output '"existed":true' existed real/file
check "a directory that was made" expect_output '"existed":false' existed d
sidebundle trace --exclude '/usr/**' -o t sh -c 'cat real/file' >/dev/null
check "--exclude leaves out" bash -c '! sidebundle show --format paths t | grep ^/usr/'
check "and nothing else" sees -- "$PWD/real/file"
sidebundle trace --include "$PWD/**" -o t sh -c 'cat real/file' >/dev/null
check "--include keeps nothing else" test "$(paths | grep -vc "^$PWD")" = 0
sidebundle trace --include 'real/*' -o t sh -c 'cat real/file; cat /etc/hostname' >/dev/null 2>&1
check "one that is relative is taken from here" expect_output "$PWD/real/file" paths
check "and that it keeps" sees -- "$PWD/real/file"

sidebundle trace -b audit -o t "$SB_TARGETS/moves" real "$(type -P true)" 2>err
check "a directory that was changed past libc is noted" expect_output "\"why\":\"raw\",\"path\":\"$SB_TARGETS/moves\"" blind
check "and told in the end" grep -q 'moves (raw)' err
sidebundle trace -b audit -o t sh -c 'cd real; mkdir x; cd x; mv ../x ../y; ls; rmdir ../y; env -C / ls; true' >/dev/null
check "one that was changed by it, renamed or removed is not" test -z "$(blind)"
if [ -x /usr/bin/python3 ]; then
	sidebundle trace -b audit -o t /usr/bin/python3 -c 'import subprocess; subprocess.run(["ls"], cwd="real")' >/dev/null
	check "nor one that a vfork child alone has changed" test -z "$(blind)"
else
	skip_check "nor one that a vfork child alone has changed" "the program /usr/bin/python3 is missing"
fi

# --- those that outlive it -------------------------------------------------------------------------
check "does not wait for others" bash -c 'timeout 10 sidebundle trace -o t sh -c "sleep 15 & echo \$! >sleeper; exit 4" 2>err; [ $? = 4 ]'
check "and says so" grep -q '1 process was still running' err
check "in the trace as well" grep -q outlived <(blind)
kill "$(cat sleeper)"
check "--wait-all waits" bash -c 'sidebundle trace --wait-all -o t sh -c "(sleep 0.5; cat real/file) & :" >/dev/null'
check "and sees them" sees -- "$PWD/real/file"
check "and has none left" test -z "$(blind)"

# --- timeout ---------------------------------------------------------------------------------------
check "124: its time was up" expect_status 124 traced --timeout 0.5 sh -c 'sleep 17 & setsid sleep 17 & sleep 17'
check "closed all the same" closed
check "nobody is left" bash -c '! pgrep -f "^sleep 17$"'
check "those that do not listen, too" expect_status 124 traced --timeout 0.3 bash -c "trap '' TERM; while :; do sleep 0.1; done"
check "in time is no timeout" expect_status 3 traced --timeout 60 sh -c 'exit 3'

# --- the log ---------------------------------------------------------------------------------------
check "leaves nothing behind" no_stale_log
traced sh -c 'kill -9 $PPID; sleep 0.2' 2>/dev/null
check "a killed trace is read as far as it goes" expect_status 0 sidebundle show t
check "and reported as cut short" expect_match 'cut short' sidebundle show t
traced true
check "what it left behind goes with the next run" no_stale_log
