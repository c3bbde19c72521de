# curl needs many libraries and nothing else.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/subject.sh"
need curl
subject curl --version
prepare() { echo content >file; }
subject curl -sS "file://$SB_WORK/project/file"
