# The command line itself: help, version, usage errors.
. "$SB_TESTS/cli/lib.sh"

check "help exits 0 and names the commands" expect_match '^Commands:' sidebundle --help
check "version is printed" expect_match '^sidebundle [0-9]+\.[0-9]+' sidebundle --version
check "no command is a usage error" expect_status 2 sidebundle
check "an unknown command is a usage error" expect_status 2 sidebundle frobnicate
check "help on a command is its own" diff <(sidebundle help trace) <(sidebundle trace --help)
check "help alone is that of all" diff <(sidebundle help) <(sidebundle --help)
check "help on no command is a usage error" expect_status 2 sidebundle help frobnicate
check "an unknown option is a usage error" expect_status 2 sidebundle --frobnicate
check "a full disk is no success" bash -c '! sidebundle --help >/dev/full'
for command in trace show diff merge deps create run inspect verify doctor; do
	check "$command --version" expect_match '^sidebundle [0-9]+\.[0-9]+' sidebundle "$command" --version
done
check "the second name works" expect_match '^sidebundle ' sidebundle-cli --version
