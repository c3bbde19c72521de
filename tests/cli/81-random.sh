# Shell scripts by chance, of what shells do to files: what a traced run prints, and what its replays print with the
# project there and away, is what the script prints by itself. A seed makes the same script everywhere.
# timeout: 600
. "$SB_TESTS/cli/lib.sh"
sidebundle trace -b ptrace -o probe true 2>/dev/null || skip "ptrace is refused here"
modes=(host)
! has_userns || modes+=(namespace)

top=$PWD/random
project() {
	local f
	rm -rf "$top" && mkdir -p "$top/pr/sub/deep" "$top/pr/bin" "$top/side/in" || return 1
	for f in pr/a pr/b pr/sub/c pr/sub/deep/d side/e side/in/f; do echo "text of $f" >"$top/$f"; done
	for f in pr/bin/t1 side/t2; do printf '#!/bin/sh\necho "ran %s $1"\n' "$f" >"$top/$f" && chmod 755 "$top/$f"; done
	ln -s sub "$top/pr/ls" && ln -s "$top/side" "$top/pr/out" && ln -s ../a "$top/pr/sub/up"
}
one_of() { local -a all=("$@"); printf '%s' "${all[RANDOM % ${#all[@]}]}"; }
name() { one_of a b sub/c sub/deep/d ls/c out/e ../side/in/f "$top/pr/a" "$top/side/e" sub/up n1 n2 nd/x l1 l2 nd/l sub/n3 bin/t1 out/t2; }
dir() { one_of sub sub/deep ls out ../side . .. nd bin nd2; }
made() { one_of l1 l2 n1 n2 nd/x sub/n3 nd/l; }
# shellcheck disable=SC2016 # for another shell
line() {
	case $((RANDOM % 16)) in
	0 | 1) echo "cat $(name) $(name)" ;;
	2) echo "echo w$((RANDOM % 100)) >$(one_of n1 n2 nd/x sub/n3 a)" ;;
	3) echo "ln -s $(one_of "$(name)" "$(dir)" "$top/pr/$(name)") $(one_of l1 l2 nd/l)" ;;
	4) echo "ln -sfn $(name) $(one_of l1 l2)" ;;
	5) echo "rm -f $(made)" ;;
	6) echo "mkdir $(one_of nd nd2 nd/sub)" ;;
	7) echo "mv $(one_of n1 l1 nd sub/n3 nd2) $(one_of n2 l2 nd2 nd)" ;;
	8) echo "(cd $(dir) && cat $(one_of c e a d f in/f deep/d x))" ;;
	9) echo "(cd $(dir) && cd $(dir) && cat $(one_of c e a d ../a sub/c))" ;;
	10) echo "test -e $(name) && echo there" ;;
	11) echo "./$(one_of bin/t1 out/t2 l1 l2) x" ;;
	12) echo "ls $(one_of sub nd bin); readlink $(one_of ls l1 l2 sub/up)" ;;
	13) echo "cp $(name) $(one_of n1 n2 nd/x)" ;;
	14) echo 'mv sub sub2; cat sub2/c; mv sub2 sub' ;;
	15) echo "test -f $(name) && read -r v <$(name) && echo \"\$v\"" ;;
	esac
}
script() { # SEED
	RANDOM=$1
	local i
	for i in $(seq $((6 + RANDOM % 10))); do printf '{ %s; } 2>/dev/null; echo "= %s $?"\n' "$(line)" "$i"; done
}
in_project() { (cd "$top/pr" && "$@"); }
agrees() { # WHAT COMMAND...
	local what=$1
	shift
	"$@" >got 2>&1
	cmp -s want got && return 0
	echo "seed $seed: $what"
	diff want got | head -n 6
	return 1
}
replays() { # WHERE
	local mode
	for mode in "${modes[@]}"; do
		agrees "$mode, the project $1" env -C / SIDEBUNDLE_RUN_MODE="$mode" "$PWD/b/bin/sh" || return 1
	done
}
run_seed() {
	local seed=$1
	script "$seed" >script
	project && in_project sh "$SB_WORK/script" >want 2>&1
	project && agrees "traced" in_project sidebundle trace -b ptrace -o "$SB_WORK/t" sh "$SB_WORK/script" || return 1
	project && rm -rf b && sidebundle create --from-trace t --name b --out-dir . >log 2>&1 || { cat log; return 1; }
	replays there || return 1
	mv "$top" "$top.away"
	replays away
	local status=$?
	rm -rf "$top.away"
	return $status
}
count=8
[ "$SB_ALL" -eq 0 ] || count=80
for seed in $(seq "$count"); do check "seed $seed" run_seed "$seed"; done
