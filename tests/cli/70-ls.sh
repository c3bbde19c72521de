# ls, from a trace, with what it listed.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/subject.sh"
prepare() {
	mkdir data data/deeper
	touch data/a "data/name with spaces" $'data/new\nline' data/deeper/x
	ln -s a data/link
}
subject ls -1FR data
subject ls data/missing
