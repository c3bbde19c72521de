# trace, killed while the command runs: the trace has what was known a moment before, whoever watches.
# timeout: 120
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/strict.sh"

touch one
for backend in audit hybrid notify ptrace; do # combined needs a right: 18-combined.sh
	if sidebundle trace -b $backend -o t true 2>why; then
		hold_saved $backend
	else
		skip_check "$backend: what was known is in the trace" "what it needs: $(cat why)"
	fi
done

# What was told early stands no more often for it: its counts are added up.
counted() {
	sidebundle trace -b audit -o t sh -c 'for i in 1 2 3; do : <one; done
		until grep -q "/one\"" t; do sleep 0.05; done
		for i in 1 2; do : <one; done'
	expect_match '"path":"[^"]*/one",.*"count":5' sidebundle show --format json t &&
		[ "$(grep -c '"event":"open".*/one"' t)" = 2 ] && tail -n 1 t | grep -q '"lost":0'
}
check "counts go on" counted
