# create and verify: what is refused, what is kept, what is left out, one bundle in the place of another.
. "$SB_TESTS/cli/lib.sh"

make_trace() { # a project that reads, lists, writes, and holds a secret
	mkdir -p proj/dir && echo data >proj/data && echo other >proj/dir/other && ln -s data proj/link
	printf -- '-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n' >proj/key.pem
	touch -d 2020-01-02 proj/data proj/dir/other proj/dir
	(cd proj && sidebundle trace -o ../t.trace sh -c 'cat link key.pem; ls dir; echo new >made; cat made') >/dev/null
}
in_payload() { [ -e "b/$1/payload$PWD/$2" ] || [ -L "b/$1/payload$PWD/$2" ]; }
not_in_payload() { ! in_payload "$@"; }
tree_of() { (cd "$1" && find . -printf '%p %y %m %s %T@ %l\n' | sort && find . -type f -exec sha256sum {} + | sort); }
same_tree() { cmp <(tree_of "$1") <(tree_of "$2"); }
create() { sidebundle create --out-dir b "$@"; }

check "a name that is a path is refused" expect_status 2 create --name ../x --from-host ls
check "nothing to offer is refused" expect_status 2 create
check "an unknown run mode is refused" expect_status 2 create --run-mode fakechroot --from-host ls
check "an unknown option is refused" expect_status 2 create --max-size 1 --from-host ls
check "a program that is not there" expect_status 1 create --from-host /nonexistent
check "a dry run says it all" expect_match '/usr/bin/ls$' create --dry-run --from-host /usr/bin/ls
check "and writes nothing" test ! -e b
check "ls is bundled" expect_status 0 create --name ls --from-host ls
check "and verifies" expect_status 0 sidebundle verify b/ls
check "an old bundle stays" expect_match 'there already' create --name ls --from-host ls
cp -a b/ls old
check "--force replaces it" expect_status 0 create --force --name ls --from-host ls
check "by the same, bit by bit" same_tree b/ls old
check "nothing is left beside it" expect_output ls ls -A b
mkdir b/mine && touch b/mine/file
check "--force spares what is no bundle" expect_status 1 create --force --name mine --from-host ls
check "which is still there" test -e b/mine/file
ln -s ../old b/away
check "--force follows no link" expect_status 1 create --force --name away --from-host ls
check "and leaves what it leads to" test -e old/manifest.lock

interrupted() { # SIGNAL: the old bundle stays, and nothing else
	mkdir -p big && head -c 64M /dev/zero >big/zero && head -c 64M /dev/urandom >big/random
	sidebundle create --out-dir b --force --name ls --from-host ls --copy-dir big:/big >/dev/null 2>&1 &
	local pid=$!
	while [ -d "/proc/$pid" ] && ! compgen -G 'b/.sidebundle-ls.*/payload' >/dev/null; do sleep 0.01; done
	kill -"$1" $pid 2>/dev/null
	wait $pid && return 0 # it was faster than we
	same_tree b/ls old
}
check "a build that is ended leaves the old bundle" interrupted TERM
check "and nothing beside it" test -z "$(find b -maxdepth 1 -name '.sidebundle-*')"
check "so does one that is killed" interrupted KILL
check "whose remains the next one removes" create --force --name ls --from-host ls
check "all of them" test -z "$(find b -maxdepth 1 -name '.sidebundle-*')"

make_trace
check "a trace becomes an entry" expect_match 'proj/key.pem.*secret' create --name t --from-trace t.trace
check "the secret is left out" not_in_payload t proj/key.pem
check "what was read is in" in_payload t proj/data
check "the link on the way too" in_payload t proj/link
check "members of a listed directory too" in_payload t proj/dir/other
check "what the run made is not" not_in_payload t proj/made
check "times are kept" expect_output "$(stat -c %Y proj/dir)" stat -c %Y "b/t/payload$PWD/proj/dir"
check "it verifies" expect_status 0 sidebundle verify b/t
check "secrets on demand" expect_status 0 create --name s --allow-secrets --from-trace t.trace
check "are in" in_payload s proj/key.pem
check "--exclude takes out" expect_status 0 create --name e --exclude '**/dir' --from-trace t.trace
check "the whole directory" not_in_payload e proj/dir
check "--include adds" expect_status 0 create --name i --include proj/made --from-trace t.trace
check "what no trace would" in_payload i proj/made
check "a place that is closed is told, and the remedy" expect_match "make directory '/proc/none' .--out-dir names another place.: " sidebundle create --name o --out-dir /proc/none --from-host ls
check "two entries of one name" expect_status 2 create --name c --from-trace t.trace --from-trace t.trace
check "unless one is renamed" expect_status 0 create --name c --from-trace t.trace --from-trace t.trace::entry=two
check "one file for both" test b/c/bin/sh -ef b/c/bin/two
mkdir -p bystanders/sub && echo old >bystanders/notes && echo asked >bystanders/sub/asked && : >bystanders/sub/beside
bystanders() {
	(cd bystanders && sidebundle create --out-dir ../b --name by --from-host "bash::trace=-c 'echo *; read -r x <sub/asked'") >/dev/null 2>&1
	expect_output "$PWD/bystanders/sub/asked" bash -c "cd b/by/payload && find .$PWD/bystanders -type f | cut -c2-"
}
check "what lies where a program was run is not its own" bystanders
mkdir -p hanging && ln -sfn nowhere hanging/dead
hanging() { (cd hanging && sidebundle trace -o ../hanging.trace ls -l) >/dev/null && create --name hang --strict-validate --from-trace hanging.trace; }
check "a link that leads nowhere is not gone" hanging
check "it is in" expect_output nowhere readlink "b/hang/payload$PWD/hanging/dead"
closed_mask() { (umask 777 && create --name mask --from-host ls) && expect_same ls b -- b/mask/bin/ls b; }
check "whatever the umask" closed_mask
check "warnings fail a strict create" expect_status 1 create --name strict --strict-validate --from-trace t.trace
check "which leaves nothing" test ! -e b/strict
echo changed >>proj/data
check "a changed file is told" expect_match 'proj/data.*changed since' create --name ch --from-trace t.trace
rm proj/data
check "so is one that is gone" expect_match 'data.*gone since' create --name go --from-trace t.trace
mkdir run && cp "$(type -P true)" run/tool && sidebundle trace -o tool.trace run/tool && rm -r run
check "without the command there is nothing to bundle" \
	expect_match "the traced command '.*/run/tool' is gone" create --name none --from-trace tool.trace
check "what may follow a program is told" expect_match "'/bin/ls::foo=1' is no file .*::trace=" create --name none --from-host /bin/ls::foo=1

f=b/t/payload$PWD/proj/dir/other
chmod -R a-w b/t
check "one that is read-only verifies" expect_status 0 sidebundle verify b/t
chmod -R u+w b/t
chmod o+w "$f"
check "one that others may write to does not" expect_match 'dir/other: has another mode' sidebundle verify b/t
chmod 600 "$f"
check "nor one that they may not read" expect_match 'dir/other: has another mode' sidebundle verify b/t
chmod 644 "$f"
echo x >>"$f"
check "verify finds other content" expect_match 'dir/other: ' sidebundle verify b/t
touch "b/t/payload$PWD/proj/extra"
check "verify finds what is too much" expect_match 'extra: is not in the manifest' sidebundle verify b/t
rm -f "$f"
check "verify finds what is missing" expect_match 'dir/other: is missing' sidebundle verify b/t
check "with status 1" expect_status 1 sidebundle verify b/t
touch b/ls/bin/extra b/ls/libexec/extra b/ls/extra
for extra in bin/extra libexec/extra extra; do
	check "and what is too much beside it: $extra" expect_match "^$extra: is no part of the bundle" sidebundle verify b/ls
done
for part in libexec/plan libexec/host/index; do
	[ -e "b/ls/$part" ] && truncate -s 1T "b/ls/$part" || continue # not every file system has such holes
	check "a hole of a terabyte is not read: $part" expect_match "^$part: is larger" timeout 60 sidebundle verify b/ls
done
check "what is no bundle, and what would be one" expect_match "'/tmp': this is no bundle.*create" sidebundle verify /tmp
sed -i 's|"path":"/usr","type|"path":"/../../x","type|' b/t/manifest.lock
check "a hostile manifest is refused" expect_match 'no absolute path inside the payload' sidebundle verify b/t

# Another machine's program, as short as can be: what it is for stands in its file.
mkdir -p other/bin
{
	printf '\177ELF\2\1\1\0\0\0\0\0\0\0\0\0\2\0\267\0\1\0\0\0'
	printf '\0\0\0\0\0\0\0\0\100\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\100\0\70\0\1\0\100\0\0\0\0\0'
	printf '\1\0\0\0\5\0\0\0'
	head -c 48 /dev/zero
} >other/bin/x
chmod +x other/bin/x
check "a program of another machine" expect_status 0 create --name arm --trace-root "$PWD/other" --from-host /bin/x
check "the manifest names that machine" grep -q '"arch":"aarch64"' b/arm/manifest.lock

# --- the environment, the linker's own rules, names of any bytes ---------------------------------------
create --name env --from-host /usr/bin/env --set-env A=1 --set-env 'B=two words' >/dev/null
check "--set-env sets its own, and touches no other" expect_output $'C=3\nA=1\nB=two words' \
	env -i C=3 A=user b/env/bin/env
create --name env2 --from-host /usr/bin/env --set-env A=1 --set-env AB=2 --set-env A=3 >/dev/null
check "the last one counts" expect_output $'AB=2\nA=3' env -i b/env2/bin/env
cp "$(command -v true)" other-true && mkdir -p twice && mv other-true twice/true
check "two programs of one name" expect_match "two entries would be called 'true': an entry is called as its program" \
	create --name t2 --from-host true --from-host "$PWD/twice/true"
check "what is no assignment is refused" expect_status 2 create --name e2 --set-env A --from-host ls

if command -v cc >/dev/null; then
	mkdir gpu
	for lib in libcuda.so.1 libglitter.so.1; do
		echo "int ${lib%%.*}(void) { return 0; }" | cc -shared -fPIC -Wl,-soname,$lib -o gpu/$lib -x c -
	done
	echo 'int libcuda(void), libglitter(void); int main(void) { return libcuda() + libglitter(); }' |
		cc -o gpu/uses -x c - -Lgpu -l:libcuda.so.1 -l:libglitter.so.1 -Wl,-rpath,"$PWD/gpu"
	check "a driver's library is left out, and told" expect_match 'libcuda.*allow-gpu-libs takes it. .loaded by .*/gpu/uses' create --name g --from-host "$PWD/gpu/uses"
	check "it is not in" test ! -e "b/g/payload$PWD/gpu/libcuda.so.1"
	check "a library that is only named alike is" test -e "b/g/payload$PWD/gpu/libglitter.so.1"
	check "which verify knows" expect_status 0 sidebundle verify b/g
	echo 'int glx(void) { return 0; }' | cc -shared -fPIC -Wl,-soname,libGLX.so.0 -o gpu/libGLX.so.0 -x c -
	echo 'int glx(void); int gl(void) { return glx(); }' |
		cc -shared -fPIC -Wl,-soname,libGL.so.1 -o gpu/libGL.so.1 -x c - -Lgpu -l:libGLX.so.0 -Wl,-rpath,"$PWD/gpu"
	echo 'int gl(void); int main(void) { return gl(); }' |
		cc -o gpu/draws -x c - -Lgpu -l:libGL.so.1 -Wl,-rpath,"$PWD/gpu" -Wl,-rpath-link,gpu
	check "but not what leads to a driver, where a program links it" expect_status 0 create --name g3 --from-host "$PWD/gpu/draws"
	check "so it starts" expect_status 0 env SIDEBUNDLE_RUN_MODE=host b/g3/bin/draws
	echo 'int gl(void); int plug(void) { return gl(); }' |
		cc -shared -fPIC -Wl,-soname,libplug.so -o gpu/libplug.so -x c - -Lgpu -l:libGL.so.1 -Wl,-rpath,"$PWD/gpu" -Wl,-rpath-link,gpu
	printf '#include <dlfcn.h>\nint main(int n, char **v) { return !dlopen(v[n - 1], RTLD_NOW); }\n' | cc -o gpu/plugs -x c - -ldl
	sidebundle trace -b audit -o plugs.trace gpu/plugs "$PWD/gpu/libplug.so"
	check "nor where a plugin does" expect_status 0 create --name g4 --from-trace plugs.trace
	check "so that starts, too" expect_status 0 env SIDEBUNDLE_RUN_MODE=host b/g4/bin/plugs
	check "with what that links, too" test -e "b/g3/payload$PWD/gpu/libGLX.so.0"
	check "--allow-gpu-libs" expect_status 0 create --name g2 --allow-gpu-libs --from-host "$PWD/gpu/uses"
	check "takes it along" test -e "b/g2/payload$PWD/gpu/libcuda.so.1"
else
	skip_check "a driver's library" "the program cc is missing"
fi

printf '#!/bin/sh\nnowhere-to-be-found\n' >unfound && chmod 755 unfound
check "a run that found no command fails" expect_match "'.*/unfound' exited with 127: .*--from-trace" create --name none --from-host "./unfound::trace=x"
check "a run with a named backend" expect_status 0 create --name a --trace-backend audit --from-host "ls::trace=$PWD/proj"
check "shows what it read" test -d "b/a/payload$PWD/proj"
check "off says so" expect_match "'/usr/bin/ls' is not run" create --name says --trace-backend off --from-host "ls::trace=$PWD/proj"
check "no such backend" expect_match "trace-backend: 'x' is none of auto, .*audit.*, off" create --name o --trace-backend x --from-host ls
check "off runs nothing" expect_status 0 create --name o --trace-backend off --from-host "ls::trace=$PWD/proj"
check "and has none of it" test ! -e "b/o/payload$PWD/proj"

odd() {
	mkdir odd && cd odd && printf 1 >$'a\nb' && printf 2 >$'bad\xff' && mkdir ' s p ' && printf 3 >' s p /x' || return 1
	sidebundle trace -o ../odd.trace sh -c 'cat a* bad* " s p /x"' >/dev/null && cd .. &&
		create --name odd --from-trace odd.trace >/dev/null && sidebundle verify b/odd &&
		[ "$(cat "b/odd/payload$PWD/odd/"$'a\nb' "b/odd/payload$PWD/odd/"$'bad\xff' "b/odd/payload$PWD/odd/ s p /x")" = 123 ]
}
check "names of any bytes" odd

# Programs that a trace has as looked at and not as started need no libraries; asked for, they do.
if command -v dash bash >/dev/null; then
	sidebundle trace -o looked.trace dash -c "[ -x $(command -v bash) ]"
	create --name looked --from-trace looked.trace >/dev/null 2>&1
	check "a program that was only looked at needs nothing" expect_status 0 sidebundle verify b/looked
	create --name asked --from-trace looked.trace --include "$(realpath "$(command -v bash)")" >/dev/null 2>&1
	check "one that was asked for does" expect_match 'bash: needs libtinfo.* not in the payload' sidebundle verify b/asked
fi

# Names that no call takes at once: told, and left out.
deep() { # COMMAND...: in 25 directories of 200 bytes
	local name
	name=$(printf 'd%.0s' {1..200})
	mkdir -p deep && cd deep || return 1
	for _ in {1..25}; do
		mkdir -p "$name" && cd "$name" || return 1
	done
	: >file
	"$@"
}
(deep true)
check "a tree that is too deep" expect_match '^  6: has a name of more than 4,095 bytes' \
	create --name tree --from-host /bin/true --copy-dir "$PWD/deep:/srv"
check "what a trace saw there" expect_match ': has a name of more than 4,095 bytes: not in the bundle' bash -c '
	sidebundle trace -b ptrace -o deep.trace bash -c "cd deep; for i in \$(seq 25); do cd d*; done; cat file" &&
		sidebundle create --out-dir b --name seen --from-trace deep.trace'
there() { (deep sidebundle trace -o "$SB_WORK/there.trace" ls) && sidebundle create --out-dir b --from-trace there.trace; }
check "no replay begins there" expect_match 'more than 4,095 bytes, which no replay can enter' there
