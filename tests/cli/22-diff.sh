# diff: what only one trace saw, and why; on traces written by hand, then on real ones.
. "$SB_TESTS/cli/lib.sh"

trace_of() { # FILE BACKEND: a header, then what is on stdin
	echo "{\"sidebundle-trace\":1,\"version\":\"0\",\"backend\":\"$2\",\"arch\":\"x\",\"started\":0,\"cwd\":\"/w\",\"argv\":[\"sh\"],\"env\":[]}" >"$1"
	cat >>"$1"
}
process() { echo "{\"process\":$1,\"parent\":$2,\"pid\":$((10 + $1)),\"ppid\":1,\"forked\":false,\"exe\":\"$3\",\"cwd\":\"/w\",\"argv\":null}"; }
event() { # KIND PROCESS PATH OUTCOME [MORE]
	echo "{\"event\":\"$1\",\"process\":$2,\"path\":\"$3\",\"real\":\"$3\",\"outcome\":$4,\"count\":1${5:-}}"
}
end() { echo "{\"end\":true,\"status\":0,\"processes\":0,\"events\":0,\"files\":0,\"lost\":${1:-0},\"blind\":[${2:-}]}"; }

{
	process 0 null /bin/sh && process 1 0 /bin/busybox && process 2 1 /bin/dyn
	echo '{"event":"exec","process":1,"path":"/bin/busybox","real":"/usr/bin/busybox","outcome":0,"count":1}'
	event load 0 /lib/libc.so 0 ',"by":"/bin/sh"'
	event search 0 /opt/libc.so null
	event open 0 /both 0
	event stat 0 /tried 2
	event open 0 /unsure null
	event open 0 /tmp/ccAb12Cd.o 0
	event open 0 /p/tmp81 0
	end 0 '{"why":"static","path":"/bin/busybox","count":1}'
} | trace_of a audit
{
	process 0 null /bin/sh && process 1 0 /usr/bin/busybox && process 2 1 /bin/dyn && process 3 0 /bin/other
	event exec 1 /usr/bin/busybox 0
	event open 0 /lib/libc.so 0
	event open 0 /opt/libc.so 2
	event open 0 /both 0
	event stat 0 /tried 13
	event open 0 /unsure 2
	event open 0 /tmp/ccZz99Xx.o 0
	event open 0 /p/tmp7 0
	event open 1 /only/static 0
	event open 2 /only/of-its-child 0
	event open 3 /only/not-run 0
	event open 0 /usr/share/locale/de/LC_MESSAGES/x.mo 0
	event open 0 /raw 0
	event open 0 /proc/812/status 0
	event stat 0 /odd\\nname 0
	end
} | trace_of b ptrace
diff() { sidebundle diff "$@"; }

diff a b >out
check "different: 1" expect_status 1 diff a b
check "the same: 0" expect_status 0 diff a a
check "a load is an open" test "$(grep -c 'libc\.so' out)" = 0
check "what is not known contradicts nothing" test "$(grep -c unsure out)" = 0
line() { check "$1" grep -qE "$2" out; }
line "static program" '^>  open +ok +static program +/only/static  \[/usr/bin/busybox\]$'
line "what it started is not run" '^>  open +ok +not run +/only/not-run  \[/bin/other\]$'
line "inside libc" '^>  open +ok +inside libc +/usr/share/locale/de'
line "raw system call" '^>  open +ok +raw system call +/raw  \[/bin/sh\]$'
line "by a child that both ran" '^>  open +ok +raw system call +/only/of-its-child '
line "timing: of a process" '^>  open +ok +timing +/proc/812/status'
line "timing: random letters" '^<  open +ok +timing +/tmp/ccAb12Cd\.o'
line "timing: numbers" '^>  open +ok +timing +/p/tmp7 '
line "outcome" '^!  stat +ENOENT/EACCES +outcome +/tried'
line "names are escaped" '/odd\\nname'
line "counted" '^> only in b: [0-9]+: .*1 inside libc.*1 static program'
line "and the same" '^= the same: 5$'
check "by kind" expect_match '^> only in b: 1: 1 raw system call' diff --kind stat a b
check "opens and loads are one kind" test "$(diff -k open a b | grep -c '^[<>!]  open')" = "$(diff -k load a b | grep -c '^[<>!]  open')"
check "an unknown kind: 2" expect_status 2 diff --kind fly a b
check "one trace: 2" expect_status 2 diff a
check "trouble: 2" expect_status 2 diff a none
check "told" expect_match "open the trace 'none': No such file" diff a none

json() { diff --format json "$@"; }
check "json is an object" expect_match '^\{"a":\{"file":"a","backend":"audit"\},"b":\{"file":"b","backend":"ptrace"\},"same":5,"differences":\[\{.*\}\]\}$' json a b
check "with sides" expect_match '\{"kind":"open","path":"/only/static","class":"static program","a":null,"b":\{"outcome":0,"count":1,"programs":\["/usr/bin/busybox"\]\}\}' json a b
check "with both of them" expect_match '"path":"/tried","class":"outcome","a":\{"outcome":2,[^}]*\},"b":\{"outcome":13,' json a b
check "the same in json" expect_match '"differences":\[\]' json b b

end 3 >last && { process 0 null /bin/sh && cat last; } | trace_of lossy audit
check "lost records explain" expect_match '^<  open +ok +incomplete +/both' diff a lossy
process 0 null /bin/sh | trace_of short audit
check "a short trace as well" expect_match '^<  open +ok +incomplete +/both' diff a short
{ process 0 null /bin/sh && end; } | trace_of files fanotify
check "what fanotify does not watch" expect_match '^<  stat +EACCES +not watched +/tried' diff b files
{ process 0 null /bin/sh && event open 0 /ring 0 ',"backend":"fanotify"' && end; } | trace_of ring combined
{ process 0 null /bin/sh && end; } | trace_of calls ptrace
check "io_uring" expect_match '^<  open +ok +io_uring +/ring' diff ring calls
{ process 0 null /bin/sh && end 0 '{"why":"io_uring","path":"/bin/sh","count":1}'; } | trace_of told notify
check "io_uring that was told of" expect_match '^<  open +ok +io_uring +/both' diff b told
{ process 0 null /bin/sh && end 0 '{"why":"libc","path":"/bin/sh","count":1}'; } | trace_of functions audit
check "inside libc, where its functions alone are watched" expect_match '^<  open +ok +inside libc +/both' diff b functions
{ process 0 null /bin/sh && end; } | trace_of idle audit
check "nobody did it" expect_match '^<  open +ok +not done +/both' diff a idle

# A merged trace compares as its parts do.
sidebundle merge -o both a b
check "merged" expect_match '^> only in b: 0$' diff both b

# Hostile ones: processes in a ring, numbers of nobody, long names.
{ process 0 1 /a && process 1 0 /b && event open 9 "/$(printf 'x%.0s' {1..5000})" 0 && end; } | trace_of ring2 audit
check "a ring" expect_status 1 diff ring2 b
check "and itself" expect_status 0 diff ring2 ring2
yes '{"event":"open","process":0,"path":"/","outcome":0}' | head -n 20000 | trace_of many audit
check "many lines" expect_status 0 timeout 20 sidebundle diff many many

check "what cannot be told is trouble, and no difference" expect_status 2 bash -c 'sidebundle diff many many >/dev/full'

# The same program twice.
printf 'import json\n' >p.py
for n in 1 2; do sidebundle trace -b audit -o $n.trace python3 -B p.py; done
check "two runs of one program are the same, but for what changes by itself" \
	test -z "$(diff 1.trace 2.trace | grep '^[<>!]  ' | grep -v ' timing ')"
