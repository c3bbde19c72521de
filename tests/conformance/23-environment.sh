# The environment: ours finds its way through every exec, and no program sees it.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
d=$(fresh d)

check "environments without ours" traced environment 0 "$T/environment" "$T/opens" "$d"
check "env -i" traced env-i 0 env -i "$T/opens" -2 "$d/env-i"
check "env -i, and env -i again" traced env-i-twice 0 env -i /usr/bin/env -i "$T/opens" -2 "$d/twice"
also sh-unset "expect exec 0 - $T/opens"
check "a shell that unsets everything" traced sh-unset 0 \
	sh -c 'unset LD_PRELOAD LD_AUDIT SIDEBUNDLE_TRACE; exec "$0" -2 "$1"' "$T/opens" "$d/sh-unset"

check "env prints nothing of ours" same env env
check "env -i env prints nothing" same env-i-env env -i /usr/bin/env
check "printenv" same printenv printenv
for name in LD_PRELOAD LD_AUDIT SIDEBUNDLE_TRACE GLIBC_TUNABLES; do
	check "printenv $name" same "printenv-$name" printenv $name
done
check "sh: export -p" same export sh -c 'export -p'
check "bash: env in a child of a child" same bash bash -c 'bash -c "env | sort; (exec env) | sort"'
command -v perl >/dev/null &&
	check "perl's %ENV" same perl perl -e 'print "$_=$ENV{$_}\n" for sort keys %ENV; print `env | sort`'
command -v /usr/bin/python3 >/dev/null &&
	check "python's os.environ" same python /usr/bin/python3 -c 'import os, subprocess
print(sorted(os.environ.items())); subprocess.run(["env"]); subprocess.run(["env"], env={})'

own_variables() {
	GLIBC_TUNABLES=glibc.malloc.arena_max=1 SIDEBUNDLE_TRACED=mine same own "$@"
}
check "the user's own tunables stay" own_variables sh -c 'env | sort'

# The user's own modules: in front of ours, working, and in what children get.
module=$T/user_module
script='id -u; env | grep ^LD_; cat /etc/hostname; (exec env -i env)'
for variable in LD_PRELOAD LD_AUDIT; do
	check "the user's own $variable, set on the way" same "on-the-way-$variable" \
		env USER_MODULE_TELLS=1 "$variable=$module" sh -c "$script"
	around() {
		env "$variable=$module" sh -c "$script" >around.plain || return 1
		env "$variable=$module" sidebundle trace -o around.trace -- sh -c "$script" >around.out || return 1
		diff around.plain around.out
	}
	check "the user's own $variable, set before" around
	check "the user's own $variable that is missing stays as noisy" same "missing-$variable" \
		env "$variable=/nowhere/module.so" sh -c "$script"
done
set_in_child() {
	also child "expect exec 0 - $T/opens"
	traced child 0 env LD_PRELOAD="$module" /usr/bin/env "$T/opens" "$module"
}
check "LD_PRELOAD set on the way" set_in_child

if command -v fakeroot >/dev/null; then
	fake=$(fresh fake)
	cat >fake.sh <<'END'
cd "$1" || exit 1
rm -rf file dir out.tar
: >file; mkdir dir
chown 0:0 file; chown 1234:567 dir; chmod 4755 file; mknod null c 1 3 2>/dev/null
stat -c '%U %u:%g %a %F %n' file dir null
tar -cf out.tar file dir && tar -tvf out.tar | awk '{ print $1, $2, $NF }'
id -u; rm -f null
END
	check "fakeroot goes on working" same fakeroot fakeroot sh fake.sh "$fake"
	inside() { # The tracer inside of fakeroot.
		fakeroot sidebundle trace -o inside.trace -- sh fake.sh "$fake" >inside.out 2>inside.err
		diff fakeroot.plain.out inside.out
	}
	check "and goes on working around us" inside
else
	skip_check "fakeroot goes on working" "the program fakeroot is missing"
fi
