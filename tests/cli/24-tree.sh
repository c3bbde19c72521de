# show --tree: parents and children, forks and execs, arguments of any bytes, narrow terminals.
. "$SB_TESTS/cli/lib.sh"

head='"version":"0","backend":"audit","arch":"x","started":0,"cwd":"/w","argv":["make"],"env":[]'
{
	echo "{\"sidebundle-trace\":1,$head}"
	cat <<'T'
{"process":0,"parent":null,"pid":10,"ppid":1,"forked":false,"exe":"/usr/bin/env","cwd":"/w","argv":["env","make"]}
{"process":1,"parent":0,"pid":10,"ppid":1,"forked":false,"exe":"/usr/bin/make","cwd":"/w","argv":["make"]}
{"process":2,"parent":1,"pid":11,"ppid":10,"forked":true,"exe":"/usr/bin/make","cwd":"/w","argv":null}
{"process":3,"parent":2,"pid":11,"ppid":10,"forked":false,"exe":"/usr/bin/cc","cwd":"/w","argv":["/usr/bin/cc","-DX='a b'","it's","a\\b"]}
{"process":4,"parent":1,"pid":12,"ppid":10,"forked":true,"exe":"/usr/bin/make","cwd":"/w","argv":null}
{"process":5,"parent":4,"pid":13,"ppid":12,"forked":false,"exe":"/bin/odd","cwd":"/w","argv":["/bin/odd","new\nline","esc\u001b[2J","\u009b2J","back\\and'\t",{"hex":"ff80"},"\u202eevil","ä漢","","$HOME"]}
{"process":6,"parent":4,"pid":14,"ppid":12,"forked":false,"exe":null,"cwd":null,"argv":null}
{"end":true,"status":512,"processes":7,"events":0,"files":0,"lost":0,"blind":[]}
T
} >t
tree() { env -u COLUMNS "$@" sidebundle show --tree t; }
cat >want <<'T'
      10  env make  [/usr/bin/env]  (exit 2)
      10  -> make  [/usr/bin/make]
      11    /usr/bin/cc '-DX='\''a b'\''' 'it'\''s' 'a\b'
      12    (fork)
      13      /bin/odd $'new\nline' $'esc\x1b[2J' $'\u009b2J' $'back\\and\'\t' $'\xff\x80' $'\u202eevil' 'ä漢' '' '$HOME'
      14      ?
T
check "forks, execs, children, odd arguments" expect_output "$(cat want)" tree
check "what it prints, a shell takes back" expect_output "$(printf 'new\nline\n\e[2J\nback\\and'\''\t\n\xff\x80\n')" \
	bash -c 'eval "set -- $(sidebundle show --tree t | sed -n "s/^      13 *//p")"; printf "%s\n" "$2" "${3#esc}" "$5" "$6"'
for width in 40 80 300; do
	wide() { tree "COLUMNS=$width" | awk -v w="$width" 'length($0) > w { print; bad = 1 } END { exit bad }'; }
	check "no line is longer than $width" wide
done
check "cut, with dots" expect_match '^      13      /bin/odd \$.new\\nline. \.\.\.$' tree COLUMNS=40
check "the end of the command stays" expect_match '^      10  env make.*\(exit 2\)$' tree COLUMNS=40
check "however narrow, something is told" expect_match '^      11    /usr/bin/cc' tree COLUMNS=1
check "a terminal's width" expect_match '^      13 .*\.\.\.' \
	script -qec 'stty cols 60; env -u COLUMNS sidebundle show --tree t' /dev/null

check "wide letters count twice" test "$(sed 's/"ä漢"/"漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢"/' t >u; COLUMNS=40 sidebundle show --tree u | grep -c '漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢漢')" = 0

sed '$s/512/9/' t >u
check "a signal" expect_match '\(signal 9\)$' sidebundle show --tree u
sed '$s/512/0/' t >u
check "success needs no word" expect_output 0 bash -c 'sidebundle show --tree u | grep -c exit; true'
sidebundle merge -o both t u
check "merged: the first" expect_match '^command 1 of 2, in /w, by audit  \(exit 2\)$' sidebundle show --tree both
check "merged: the second" expect_match '^command 2 of 2, in /w, by audit$' sidebundle show --tree both
check "with its own tree" expect_output 2 bash -c 'sidebundle show --tree both | grep -c "env make"'

# Hostile ones: a ring, one's own parent, a chain that is long and deep, arguments without end.
{
	echo "{\"sidebundle-trace\":1,$head}"
	echo '{"process":0,"parent":1,"pid":1}' && echo '{"process":1,"parent":0,"pid":2}'
	echo '{"process":2,"parent":2,"pid":3}' && echo '{"process":3,"parent":4000000000,"pid":4}'
} >ring
check "a ring is drawn once" expect_output 5 bash -c 'sidebundle show --tree ring 2>/dev/null | wc -l'
{
	echo "{\"sidebundle-trace\":1,$head}"
	awk 'BEGIN { for (i = 1; i < 100000; i++) printf "{\"process\":%d,\"parent\":%d,\"pid\":%d,\"exe\":\"/x\"}\n", i, i - 1, i }'
} >deep
check "a deep chain" expect_output 100000 bash -c 'timeout 20 sidebundle show --tree deep 2>/dev/null | wc -l'
{
	echo "{\"sidebundle-trace\":1,$head}"
	printf '{"process":0,"pid":1,"exe":"/x","argv":["%s"]}\n' "$(head -c 3000000 /dev/zero | tr '\0' x)"
} >long
check "a long argument is cut" expect_output 80 bash -c 'COLUMNS=80 sidebundle show --tree long 2>/dev/null | tr -d "\n" | wc -c'

# A real one.
cat >nest.sh <<'T'
#!/bin/sh
(true; env cat /dev/null)
exit 3
T
chmod +x nest.sh
sidebundle trace -b audit -o real ./nest.sh
check "real: the script and how it ended" expect_match '^ +[0-9]+  (/bin/)?.*nest\.sh .*\(exit 3\)$' sidebundle show --tree real
check "real: a fork, an exec, another" expect_match '^ +[0-9]+ +-> cat /dev/null' sidebundle show --tree real
