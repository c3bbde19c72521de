# show: its formats and filters, on a trace written by hand.
. "$SB_TESTS/cli/lib.sh"

cat >t <<'T'
{"sidebundle-trace":1,"version":"0","backend":"audit","arch":"x","started":0,"cwd":"/w","argv":["make"],"env":[]}
{"process":0,"parent":null,"pid":10,"ppid":1,"forked":false,"exe":"/bin/make","cwd":"/w","argv":["make","a b"]}
{"process":1,"parent":0,"pid":11,"ppid":10,"forked":true,"exe":"/bin/make","cwd":"/w","argv":null}
{"process":2,"parent":1,"pid":11,"ppid":10,"forked":false,"exe":"/bin/cc","cwd":"/w","argv":["cc"]}
{"event":"open","process":2,"path":"/l/b","real":"/r/b","outcome":0,"count":2}
{"event":"load","process":2,"path":"/l/so","real":"/r/so","outcome":0,"by":"/bin/cc","count":1}
{"event":"search","process":2,"path":"/s/so","real":"/s/so","outcome":2,"by":"/bin/cc","count":1}
{"event":"open","process":0,"path":"/no","real":"/no","outcome":2,"count":1}
{"event":"stat","process":0,"path":"/new\nline\u001b[31m","real":"/new\nline\u001b[31m","outcome":0,"count":1}
{"event":"stat","process":0,"path":{"hex":"2fff"},"real":null,"outcome":null,"count":1}
{"event":"write","process":0,"path":"/w/o","real":"/w/o","outcome":0,"op":"open","existed":false,"count":1}
{"end":true,"status":0,"processes":3,"events":7,"files":0,"lost":0,"blind":[]}
T
show() { sidebundle show "$@" t; }

check "paths: real, of what worked, sorted, once" expect_output $'/new\nline\e[31m\n/r/b\n/r/so\n/w/o\n/\xff' \
	show --format paths
check "opens are loads, too" expect_output $'/r/b\n/r/so' show --format paths --kind open
check "several kinds" expect_output $'/r/so\n/w/o' show --format paths --kind load,write
check "as named" expect_output $'/l/b\n/l/so' show --format paths --kind open --as-named
check "failed" expect_output $'/no\n/s/so' show --format paths --failed
check "exact names" test "$(show -0 --kind stat | tr '\0\n' '\n?')" = $'/new?line\e[31m\n/\xff'
check "json has its lines" expect_output 2 bash -c 'sidebundle show --format json --kind load,search t | wc -l'
check "in the form of the trace" expect_match '^\{"event":"load","process":2,"path":"/l/so","real":"/r/so","outcome":0,"by":"/bin/cc",' \
	show --format json --kind load
check "the table escapes what moves the cursor" expect_match 'stat +ok +1 +/new\\nline\\x1b\[31m$' show
check "the table shows links" expect_match ' 11 +open +ok +2 +/l/b -> /r/b$' show
check "a directory is no trace" expect_match 'read a trace .what trace -o wrote.: Is a directory' sidebundle show .
check "and failures" expect_match ' 10 +open +ENOENT +1 +/no$' show
check "and what is not known" expect_match ' stat +\? +1 ' show
check "and new files" expect_match 'write +ok +1 +/w/o \[open, new\]' show
check "the tree" expect_output $'      10  make \'a b\'  [/bin/make]\n      11    cc  [/bin/cc]' show --tree
check "colour only where asked" test "$(show | grep -c $'\e')" = 0
check "or asked for" expect_match $'\e\\[31mENOENT' show --color always
check "an unknown kind is a usage error" expect_status 2 show --kind fly
check "an unknown format as well" expect_status 2 show --format xml
check "-0 is for paths" expect_status 2 show -0 --format json
check "one trace" expect_status 2 sidebundle show t t
check "a trace that is none" expect_match 'line 1: not a sidebundle trace' sidebundle show /etc/hostname
check "exits 1" expect_status 1 sidebundle show /etc/hostname
check "no trace" expect_match "open the trace 'none': No such file" sidebundle show none
head -c 900 t >'cut'
check "cut short" expect_match 'cut short' sidebundle show cut
check "and read as far as it goes" expect_status 0 sidebundle show cut
sed -i 's/"lost":0/"lost":3/' t
check "lost records are told" expect_match '3 records were lost' show
check "a full disk is no success" bash -c '! sidebundle show t >/dev/full'
