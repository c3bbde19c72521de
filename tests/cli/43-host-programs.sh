# Host mode, programs that look at themselves or bring a world of their own: a payload behind the
# program, interpreters, editors, virtual machines, musl's; and where libraries come from.
# shellcheck disable=SC2016,SC2154 # for other shells
. "$SB_TESTS/cli/lib.sh"

create() { # NAME ARGS...
	local name=$1
	shift
	sidebundle create --out-dir b --name "$name" --run-mode host "$@" >/dev/null 2>create.log || { cat create.log; return 1; }
}

# --- one that carries a payload at its end, and starts itself again
cat >packed.c <<'END'
#include <stdio.h>
#include <string.h>
#include <unistd.h>
static void tail(const char *name)
{
	char bytes[9] = {0};
	FILE *f = fopen(name, "rb");
	if (f && fseek(f, -8, SEEK_END) == 0 && fread(bytes, 1, 8, f) == 8)
		printf("%s of %ld in %s\n", bytes, ftell(f), name);
}
int main(int argc, char **argv)
{
	char name[4096] = {0};
	if (readlink("/proc/self/exe", name, sizeof name - 1) < 0)
		return 1;
	tail("/proc/self/exe");
	tail(name);
	printf("%d\n", argc);
	fflush(stdout);
	if (argc < 3)
		execl(argc < 2 ? name : "/proc/self/exe", "packed", "again", argc > 1 ? "twice" : NULL, NULL);
	return 0;
}
END
packed() { # COMPILER NAME
	"$1" -w -o "$2" packed.c && printf 'PAYLOAD!' >>"$2" && ./"$2" >"$2.want" && create "$2" --from-host "$PWD/$2" && mv "$2" away/
}
mkdir away
for compiler in cc musl-gcc; do
	if command -v $compiler >/dev/null; then
		check "$compiler: a program with a tail" packed $compiler packed-$compiler
		check "$compiler: has it, under its own name, each time" expect_output "$(cat packed-$compiler.want)" b/packed-$compiler/bin/packed-$compiler
	else
		skip_check "$compiler: a program with a tail" "the program $compiler is missing"
	fi
done

# --- of their own kind
if command -v node >/dev/null; then
	echo 'const { execFileSync } = require("child_process"); console.log(process.execPath, new Date(0).toISOString(), execFileSync(process.execPath, ["-p", "6 * 7"]).toString())' >app.js
	check "node" create node --from-host "$(command -v node)::trace=app.js"
	check "node: it starts itself by its name" expect_same node app.js -- b/node/bin/node app.js
else
	skip_check node "the program node is missing"
fi
if command -v vim >/dev/null; then
	printf 'one\ntwo\n' >text
	edit=(-es -u NONE -N -c '%s/two/three/' -c 'r !echo filtered' -c '%print' -c 'qa!' text)
	check "vim" create vim --from-host "$(command -v vim)::trace=-es -u NONE -c qa"
	check "vim: it edits a file of the user's" expect_same vim "${edit[@]}" -- b/vim/bin/vim "${edit[@]}"
else
	skip_check vim "the program vim is missing"
fi
if command -v java >/dev/null; then
	check "java" create java --from-host "$(command -v java)::trace=-version"
	check "java: its home is its own" expect_same java -XshowSettings:properties -version -- b/java/bin/java -XshowSettings:properties -version
else
	skip_check java "the program java is missing"
fi

# --- python's virtual environments
system_python() { command -v /usr/bin/python3 >/dev/null && /usr/bin/python3 -m venv --without-pip venv 2>/dev/null; }
where='import sys; print(sys.prefix, sys.base_prefix)'
if system_python; then
	native=$(venv/bin/python -c "$where")
	printf '#!%s\nimport sys\nprint(sys.prefix, len(sys.argv))\n' "$PWD/venv/bin/python" >venv/bin/tool && chmod 755 venv/bin/tool
	check "a virtual environment" create venv --from-host "$PWD/venv/bin/python::trace=-c 'import sys'" --from-host "$PWD/venv/bin/tool::trace="
	mv venv away/
	check "keeps its prefix" expect_output "$native" b/venv/bin/python -c "$where"
	check "so does a script in it" expect_output "$PWD/venv 3" b/venv/bin/tool a b
	has_userns && check "in namespace mode too" expect_output "$native" env SIDEBUNDLE_RUN_MODE=namespace b/venv/bin/python -c "$where"
else
	skip_check "a virtual environment" "the module venv of /usr/bin/python3 is missing"
fi

# --- libraries
ls_=$(realpath "$(command -v ls)")
check "a program with libraries" create ls --from-host "$ls_"
asks() { strace -f -e trace=file -o asked b/ls/bin/ls / >/dev/null && ! grep -E '"/(etc/ld\.so|lib|usr/lib)[^"]*"' asked; }
if strace -o /dev/null true 2>/dev/null; then
	check "this machine is asked for none, nor what it preloads" asks
else
	skip_check "this machine is asked for none" "strace"
fi

# --- where host mode was not made for the processor
cp -a "$SB_PREFIX/libexec/sidebundle" libexec && chmod -R u+w libexec && find libexec -name start -delete
check "create says that paths will not be redirected" expect_match "ls': has a dynamic linker that cannot be prepared" \
	env SIDEBUNDLE_LIBEXEC="$PWD/libexec" sidebundle create --out-dir b --name plain --run-mode host --from-host "$ls_"
check "but it runs" expect_same ls away -- b/plain/bin/ls away

# What a program is called, and what it is, by whatever name it was started: of the recorded directory, by a
# link, as a script.
mkdir -p names && cp "$(command -v realpath)" names/rp && cp "$(command -v readlink)" names/rl && ln -s "$(command -v bash)" names/link
# shellcheck disable=SC2016 # for the traced shell
printf '#!/bin/sh\ncat /proc/$$/comm\n' >names/script && chmod 755 names/script
cat >names/run.sh <<'END'
./rp /proc/self/exe; ./rl /proc/self/exe; realpath /proc/self/exe; readlink -f /proc/self/exe
cat /proc/$$/comm /proc/self/comm; awk '{ print }' /proc/self/comm; ./script; sh ./script
./link -c 'cat /proc/$$/comm; realpath /proc/$$/exe'; exit 3
END
by_names() {
	local status=0
	(cd names && sidebundle trace -b audit -o ../names.trace -- sh ./run.sh) >names.want 2>&1 || status=$?
	echo "$status" >>names.want
	sidebundle create --from-trace names.trace --name named --out-dir . >create.log 2>&1 || { cat create.log; return 1; }
	status=0
	SIDEBUNDLE_RUN_MODE=host named/bin/sh >names.got 2>&1 || status=$?
	echo "$status" >>names.got
	diff names.want names.got
}
check "names of processes, and /proc/self/exe" by_names
linker=$(readelf -l "$(command -v bash)" | sed -n 's/.*interpreter: \(.*\)\]/\1/p')
by_linker() {
	sidebundle trace -b audit -o linker.trace -- "$linker" "$(type -P echo)" hi >/dev/null 2>&1
	sidebundle create --from-trace linker.trace --name linker --out-dir . >create.log 2>&1 || { cat create.log; return 1; }
	expect_output hi env SIDEBUNDLE_RUN_MODE=host "linker/bin/${linker##*/}"
}
check "the dynamic linker, as the command" by_linker

# A script of the machine's without a first line: to run it is the shell's affair, and its name another's.
printf 'echo sub\n' >bare-script && chmod +x bare-script && : >empty-script && chmod +x empty-script
check "create" create shells --from-host bash --from-host env
check "a script without a first line" expect_output sub b/shells/bin/bash -c "$PWD/bare-script"
check "by env" expect_output sub b/shells/bin/env ./bare-script
check "an empty one" expect_status 0 b/shells/bin/bash -c ./empty-script
check "one that is not there" expect_status 127 b/shells/bin/bash -c ./no-script
# What was compiled just now, on a machine that has no dynamic linker, by whatever name.
cat >compile.sh <<'END'
T=$(mktemp -d); echo 'int main(void) { return 7; }' >$T/x.c; gcc -o $T/x $T/x.c; $T/x; echo $?
cd $T; ./x; echo $?; PATH=.:$PATH; x; echo $?; cd /; ${T#/}/x; echo $?; rm -r $T
END
compiled() {
	sidebundle trace -b audit -o compile.trace -- sh compile.sh >/dev/null && create compile --from-trace compile.trace &&
		expect_output $'7\n7\n7\n7' bwrap --tmpfs / --bind "$PWD/b/compile" /bundle --proc /proc --dev /dev --tmpfs /tmp \
			--setenv SIDEBUNDLE_RUN_MODE host --unsetenv TMPDIR /bundle/bin/sh
}
if has_userns && type gcc bwrap >/dev/null; then
	check "a program that the replay compiles" compiled
else
	skip_check "a program that the replay compiles" "user namespaces, and the programs gcc, bwrap"
fi
