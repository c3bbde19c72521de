# A project's whole test suite: make, cc, a shell, programs made and run, files written.
# timeout: 300
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/subject.sh"
need make cc
prepare() { cp -r "$SB_TESTS/project/." .; }
subject make check
check "its suite ran" grep -q '^shelf: 17 passed, 0 failed$' "$SB_WORK/subject1/here.out"
