# Scripts whose interpreter is found by env, with env -S splitting its own line.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/subject.sh"
need perl
prepare() {
	printf "#!/usr/bin/env -S perl -w -l\nmy \$x; print \"split: @ARGV\"; print \"warned\" . \$x;\n" >"split"
	printf '#!/usr/bin/env bash\necho "plain: $*"\n' >plain
	printf '#!%s/plain first\n' "$PWD" >nested
	chmod +x "split" plain nested
}
subject ./split a b
subject ./plain a b
subject ./nested a b
