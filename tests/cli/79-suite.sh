# A project's whole test suite: make, cc, a shell, programs made and run, files written.
# timeout: 300
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/subject.sh"
need make cc
prepare() { cp -r "$SB_TESTS/project/." .; }
subject make check
check "its suite ran" grep -q '^shelf: 17 passed, 0 failed$' "$SB_WORK/subject1/here.out"

# Built before, and built anew by the command: the replay does so in a copy, where the project is too.
cp -r "$SB_TESTS/project" again && cd again && make >/dev/null 2>&1
suite="make clean >/dev/null; make check | tail -n 1"
check "built anew under trace" expect_output 'shelf: 17 passed, 0 failed' \
	sidebundle trace -o ../again.trace -- sh -c "$suite"
check "bundled" sidebundle create --from-trace ../again.trace --name rebuilt --out-dir ..
touch mine && before=$(ls -lR --full-time)
for mode in host namespace; do
	[ $mode = host ] || has_userns || { skip_check "$mode: built anew" "user namespaces are refused here"; continue; }
	check "$mode: built anew" expect_output 'shelf: 17 passed, 0 failed' \
		env SIDEBUNDLE_RUN_MODE=$mode ../rebuilt/bin/sh
	check "$mode: the project is as it was" expect_output "$before" ls -lR --full-time
done
