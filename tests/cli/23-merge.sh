# merge: many traces as one, and a bundle of it.
. "$SB_TESTS/cli/lib.sh"

head_of() { # CWD STARTED ARGV...: a header
	local cwd=$1 started=$2 list='' word
	shift 2
	for word; do list+="${list:+,}\"$word\""; done
	echo "{\"sidebundle-trace\":1,\"version\":\"0\",\"backend\":\"audit\",\"arch\":\"x86_64\",\"started\":$started,\"cwd\":\"$cwd\",\"argv\":[$list],\"env\":[\"A=$cwd\"]}"
}
{
	head_of /w 10 make check
	cat <<'T'
{"process":7,"parent":null,"pid":10,"ppid":1,"forked":false,"exe":"/bin/make","cwd":"/w","argv":["make","check"]}
{"process":3,"parent":7,"pid":11,"ppid":10,"forked":false,"exe":"/bin/cc","cwd":"/w","argv":["cc"]}
{"event":"open","process":3,"path":"/w/a.c","real":"/w/a.c","outcome":0,"backend":"audit","count":2}
{"event":"open","process":9,"path":"/w/x","real":"/w/x","outcome":2,"backend":"audit","count":1}
{"file":"/w/a.c","dev":"1","ino":"2","size":"5","mtime":"7.000000000","mode":33188}
{"file":"/w","dev":"1","ino":"1","size":"40","mtime":"7.000000000","mode":16877}
{"end":true,"status":512,"processes":2,"events":2,"files":2,"lost":1,"blind":[{"why":"static","path":"/s","count":2}]}
T
} >one
{
	head_of /v 20 make check
	cat <<'T'
{"process":0,"parent":null,"pid":10,"ppid":1,"forked":false,"exe":"/bin/make","cwd":"/v","argv":["make","check"]}
{"event":"open","process":0,"path":"/w/a.c","real":"/w/a.c","outcome":13,"backend":"audit","count":1}
{"file":"/w/a.c","dev":"9","ino":"9","size":"6","mtime":"8.000000000","mode":33188}
{"file":"/w","dev":"9","ino":"8","size":"44","mtime":"8.000000000","mode":16877}
{"end":true,"status":0,"processes":1,"events":1,"files":2,"lost":2,"blind":[{"why":"static","path":"/s","count":3},{"why":"outlived","path":null,"count":1}]}
T
} >two

merge() { sidebundle merge "$@"; }
check "two traces" expect_status 0 merge -o both one two
check "private" test "$(stat -c %a both)" = 600
check "nothing is left beside it" test "$(echo both*)" = both
check "what was different is told" expect_match '1 file was not the same for all of these traces: /w/a.c ' merge -o both one two
lines() { grep -c "$@"; }
check "commands side by side" expect_match '"commands":\[\{[^]]*"cwd":"/w","argv":\["make","check"\].*"status":512\},\{.*"cwd":"/v".*"env":\["A=/v"\],"status":0\}\]' head -n 1 both
check "processes renumbered" expect_output 4 lines '^{"process"' both
check "their parents as well" expect_match '"process":1,"parent":0,"pid":11' cat both
check "the other's command" expect_match '"process":3,"parent":null,"pid":10.*"command":1' cat both
check "both outcomes" expect_output 2 lines '"path":"/w/a.c","real":"/w/a.c","outcome":\(0\|13\)' both
check "both files" expect_output 2 lines '^{"file":"/w/a.c"' both
check "lost and blind spots are added up" \
	expect_match '"status":512,"processes":4,"events":3,"files":4,"lost":3,"blind":\[\{"why":"static","path":"/s","count":5\},\{"why":"outlived","path":null,"count":1\}\]' tail -n 1 both
check "it is read as any other" expect_output $'/w/a.c' sidebundle show --format paths both
check "merged again" expect_status 0 merge -o three both one
check "three commands" expect_output 3 bash -c 'head -n 1 three | grep -o "\"status\":" | wc -l'
check "onto one of its own" expect_status 0 merge -o one one two
check "into a pipe" expect_match '"commands":' bash -c 'sidebundle merge -o /dev/stdout one two 2>/dev/null | head -n 1'
head -n 3 two >'cut'
check "one that was cut short is told" expect_match 'cut: cut short' merge -o with-cut two cut
check "and stays so" expect_match 'with-cut: the trace of command 2 was cut short' sidebundle show with-cut
check "no output is a usage error" expect_status 2 merge one two
check "no traces as well" expect_status 2 merge -o x
echo nonsense >bad
check "one that is none" expect_match "bad: line 1: not a sidebundle trace" merge -o both two bad
check "fails" expect_status 1 merge -o new two bad
check "and leaves nothing" test ! -e new
check "nor writes where it cannot" expect_status 1 merge -o /proc/x one two

# Hostile ones: each is refused with its line, or read.
bad() { # NAME TEXT: the header's commands are TEXT
	printf '{"sidebundle-trace":1,"cwd":"/","argv":["a"],"commands":%s}\n{"process":0,"command":7}\n' "$2" >bad
	check "hostile: $1" expect_match 'bad: line [12]: ' sidebundle show bad
}
bad "commands are no list" '{}'
bad "no commands" '[]'
bad "a command is no object" '[1]'
bad "one without argv" '[{"cwd":"/"}]'
bad "one without a directory" '[{"argv":["a"]}]'
bad "a status out of range" '[{"cwd":"/","argv":["a"],"status":-1}]'
bad "a process of no command" '[{"cwd":"/","argv":["a"],"status":0}]'

# Two shards of a real suite, traced apart.
mkdir suite
cat >suite/run <<'T'
#!/bin/sh
cat "$1"
T
chmod +x suite/run
echo first >suite/a && echo second >suite/b
for shard in a b; do (cd suite && sidebundle trace -b audit -o ../$shard.trace ./run $shard >/dev/null); done
check "shards" expect_status 0 merge -o suite.trace a.trace b.trace a.trace
create() { sidebundle create --from-trace "$1" --name suite --force --run-mode namespace 2>&1; }
check "two commands of one name want names" expect_match "two entries would be called 'run'.*::entry=NAME" create suite.trace
check "that is usage" expect_status 2 create suite.trace
check "as many as there are commands" expect_match "has 2 commands, and 1 name was given" create suite.trace::entry=x
check "an entry of each" expect_status 0 create suite.trace::entry=one::entry=two
check "verified" sidebundle verify target/bundles/suite
if has_userns; then
	check "the first" expect_output first target/bundles/suite/bin/one
	check "the second" expect_output second target/bundles/suite/bin/two
else
	skip_check "run it" "user namespaces are refused here"
fi
