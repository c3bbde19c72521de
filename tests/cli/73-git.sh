# git writes a repository during the run, and runs itself under other names.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/subject.sh"
need git
prepare() {
	cat >work.sh <<-'END'
		set -e
		export GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000'
		git init -q -b main repo
		cd repo
		git config user.name Tester
		git config user.email tester@example.org
		echo content >file
		git add file
		git commit -q -m 'Add a file'
		git log --stat --format='%h %an %s'
		git status --short
	END
}
subject bash work.sh
