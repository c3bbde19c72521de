# Host mode of a bundle that create has made: the program is itself, its files are the payload's.
# shellcheck disable=SC2016,SC2154 # for the shells in the bundle
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/hand_bundle.sh"

create() { # NAME ARGS...
	local name=$1
	shift
	sidebundle create --out-dir b --name "$name" --run-mode host "$@" >/dev/null
}
mkdir -p app/plugins && echo payload >app/data && echo one >app/plugins/one && ln -s data app/link
printf '#!/bin/sh\necho "$0 $1"\n' >app/script && chmod 755 app/script
printf '#!/usr/bin/env -S sh -u\necho "env $1"\n' >app/by-env && chmod 755 app/by-env
app=/opt/sidebundle-test
ls_=$(realpath "$(command -v ls)")
cat_=$(realpath "$(command -v cat)")
readlink_=$(realpath "$(command -v readlink)")
check "create" create t --from-host "$ls_" --from-host "$cat_" --from-host "$readlink_" \
	--from-host /bin/sh --from-host "$(command -v env)" --copy-dir app:$app
check "it verifies" expect_status 0 sidebundle verify b/t
t=$PWD/b/t

# --- the program is itself
check "/proc/self/exe" expect_output "$readlink_" "$t/bin/readlink" /proc/self/exe
check "argv[0] is the caller's" expect_match "^$t/bin/ls: " "$t/bin/ls" /nowhere
check "comm" expect_output cat "$t/bin/cat" /proc/self/comm
check "an open of itself gives its own bytes" cmp "$cat_" <("$t/bin/cat" /proc/self/exe)
check "the environment is the user's" expect_same env -i A=1 LD_LIBRARY_PATH=/x env -- env -i A=1 LD_LIBRARY_PATH=/x "$t/bin/env"
check "/proc/self/environ too" expect_output 'LD_LIBRARY_PATH=/x' env -i LD_LIBRARY_PATH=/x "$t/bin/cat" /proc/self/environ

# --- its files
check "an open" expect_output payload "$t/bin/cat" $app/data
check "through a link" expect_output payload "$t/bin/cat" $app/link
check "the link itself" expect_output data "$t/bin/readlink" $app/link
check "a real path" expect_output $app/data "$t/bin/readlink" -f $app/link
check "by '..' and '//'" expect_output payload "$t/bin/cat" "$app//plugins/../data"
check "through a file is an error" expect_match 'Not a directory' "$t/bin/cat" $app/data/x
check "a list" expect_output one "$t/bin/ls" $app/plugins
check "a directory entered" expect_output "$app/plugins one" "$t/bin/sh" -c "cd $app/plugins; echo \$(pwd -P) *"
check "what the bundle lacks there stays absent" expect_match 'No such file' "$t/bin/cat" /usr/lib/os-release
check "this machine's elsewhere" expect_same cat /etc/hostname -- "$t/bin/cat" /etc/hostname
check "and the user's" expect_output mine "$t/bin/sh" -c 'echo mine >mine; '"$t/bin/cat"' mine; rm mine'
check "the payload is not written to" expect_match 'cannot create|Read-only|nonexistent' "$t/bin/sh" -c "echo x >>$app/data"
check "and stays as it is" expect_status 0 sidebundle verify b/t

# --- what it starts
sh="$t/bin/sh"
check "a program of the payload" expect_output "$readlink_" "$sh" -c "$readlink_ /proc/self/exe"
check "its libraries are the payload's" expect_match "$t/libexec/host/root/.*/libc.so.6" "$sh" -c "$cat_ /proc/self/maps"
check "a script of the payload" expect_output "$app/script x" "$sh" -c "$app/script x"
check "one through env" expect_output "env x" "$sh" -c "$app/by-env x"
check "from where it lies" expect_output "./script x" "$sh" -c "cd $app && ./script x"
uname_=$(realpath "$(command -v uname)")
check "one of this machine" expect_same uname -r -- "$sh" -c "$uname_ -r"
check "which has this machine's libraries" expect_match '^/.*/libc.so.6' "$sh" -c "grep -m1 -o '/.*libc.so.6' /proc/self/maps"
check "and nothing of ours" expect_same env -i A=1 sh -c /usr/bin/printenv -- env -i A=1 "$sh" -c /usr/bin/printenv
check "itself again" expect_output again "$sh" -c '/proc/self/exe -c "echo again"'
check "with an empty environment" expect_output fine env -i "$sh" -c 'echo fine'
check "with a thousand arguments" expect_output "$app/script 1" "$sh" -c "$app/script \$(seq 1000)"

# --- libraries
check "the user's LD_LIBRARY_PATH leads nowhere" expect_status 0 env LD_LIBRARY_PATH="$PWD/bad" "$t/bin/ls" /
mkdir bad && echo junk >bad/libc.so.6
check "not even to what is broken" expect_status 0 env LD_LIBRARY_PATH="$PWD/bad" "$t/bin/ls" /
check "nor does LD_PRELOAD" expect_output '' env LD_PRELOAD="$PWD/bad/libc.so.6" "$sh" -c :
cp -a b/t b/broken && chmod u+w -R b/broken
rm -f b/broken/payload/usr/lib/*/libpcre2-8.so.0* b/broken/payload/usr/lib/*/libselinux.so.1
missing() { expect_match 'error while loading shared libraries: lib[a-z0-9-]+\.so.*cannot open' b/broken/bin/ls /; }
if ldd "$ls_" | grep -q libselinux; then
	check "one that is missing is an error" missing
	check "verify tells of it" expect_status 1 sidebundle verify b/broken
fi

# --- places that are told from the program's own
if command -v cc >/dev/null; then
	mkdir -p own/bin own/lib
	echo 'int answer(void) { return 42; }' >lib.c
	echo 'int answer(void); int main(void) { return answer(); }' >main.c
	cc -shared -fPIC -o own/lib/libanswer.so lib.c &&
		cc -o own/bin/main main.c -Lown/lib -lanswer -Wl,-rpath,'$ORIGIN/../lib' || echo "cc failed"
	check "a library beside the program" create own --from-host "$PWD/own/bin/main"
	mv own away
	for mode in host namespace; do
		[ $mode = host ] || has_userns || continue
		check "is found, in $mode mode" expect_status 42 env SIDEBUNDLE_RUN_MODE=$mode b/own/bin/main
	done
fi

# --- and those that a RUNPATH names count with what the bundle has of them
if command -v cc >/dev/null; then
	lacks() { expect_match 'libanswer.so: cannot open shared object file' b/lacks/bin/by-runpath; }
	mkdir named && cp away/lib/libanswer.so named/ && ln -s named by-link
	for path in "$PWD/named" "$PWD/named/..//./named/" "$PWD/by-link" '$ORIGIN/named' '${ORIGIN}/by-link:/no/such'; do
		cc -o by-runpath main.c -Lnamed -lanswer -Wl,-rpath,"$path"
		check "$path: it finds its library" expect_status 42 ./by-runpath
		sidebundle create --force --out-dir b --name lacks --run-mode host --from-host "$PWD/by-runpath" --exclude "$PWD/**/libanswer.so" >/dev/null 2>&1
		check "$path: but not this machine's, where the bundle lacks it" lacks
		sidebundle create --force --out-dir b --name has --run-mode host --from-host "$PWD/by-runpath" >/dev/null 2>&1
		rm named/libanswer.so
		check "$path: and the bundle's where it has it" expect_status 42 b/has/bin/by-runpath
		cp away/lib/libanswer.so named/
	done
	cat >open.c <<-'END'
		#include <dlfcn.h>
		#include <stdio.h>
		int main(int argc, char **argv) { puts(dlopen(argv[argc - 1], RTLD_NOW) ? "loaded" : dlerror()); }
	END
	cc -o open open.c -ldl -Wl,-rpath,"$PWD/named"
	check "a program that loads by name" create open --from-host "$PWD/open"
	check "what this machine has there does not count" expect_match 'cannot open shared object' b/open/bin/open libanswer.so
	mkdir named/plugins && cp away/lib/libanswer.so named/plugins/
	check "but what the user names elsewhere does" expect_output loaded b/open/bin/open "$PWD/named/plugins/libanswer.so"
fi

# --- libraries that only LD_LIBRARY_PATH leads to
if command -v cc >/dev/null; then
	mkdir libs && cp away/lib/libanswer.so libs/
	cc -o answer main.c -Llibs -lanswer
	LD_LIBRARY_PATH=$PWD/libs sidebundle trace -o answer.trace -- ./answer
	printf '#!/bin/sh\nLD_LIBRARY_PATH=libs:/x ./answer\n' >by-script && chmod 755 by-script
	sidebundle trace -o by-script.trace -- ./by-script
	check "LD_LIBRARY_PATH of a trace, and of a script" create libs --from-trace answer.trace --from-trace by-script.trace
	mv libs away/ && mv answer away/
	check "leads to the payload, recorded" expect_status 42 b/libs/bin/answer
	check "and set by a script" expect_status 42 b/libs/bin/by-script
	cp main.c lib.c away/ && cd away && mkdir other && echo 'int answer(void) { return 1; }' >wrong.c &&
		cc -shared -fPIC -o other/libanswer.so wrong.c
	cd ..
	check "but the user's does not lead away from it" expect_status 42 env LD_LIBRARY_PATH="$PWD/away/other" b/libs/bin/answer
	check "and is there for the program" expect_output "/x:$PWD/away" env LD_LIBRARY_PATH="/x:$PWD/away" "$sh" -c 'echo $LD_LIBRARY_PATH'
fi

# --- what asks the kernel itself
if command -v cc >/dev/null; then
	cat >go.c <<-'END'
		__asm__(".section .note.go.buildid,\"a\",@note\n.long 4, 4, 4\n.asciz \"Go\"\n.byte 0\n.long 0\n.text");
		int main(void) { return 0; }
	END
	cc -o go go.c
	check "create tells of a program in Go" expect_match "/go'.*Go.*not redirected" \
		sidebundle create --out-dir b --name go --run-mode host --from-host "$PWD/go"
	check "but not where another mode is its own" expect_output '' bash -c \
		'sidebundle create --out-dir b --name go2 --run-mode namespace --from-host "$PWD/go" 2>&1 >/dev/null'
fi

# --- threads
if command -v cc >/dev/null; then
	cat >cancel.c <<-'END'
		#include <fcntl.h>
		#include <pthread.h>
		#include <stdio.h>
		#include <sys/stat.h>
		#include <unistd.h>
		static int cleaned;
		static void clean(void *arg) { cleaned += arg != NULL; }
		static void *wait_open(void *path)
		{
			pthread_cleanup_push(clean, path);
			(void)open(path, O_RDONLY);
			pthread_cleanup_pop(0);
			return NULL;
		}
		int main(void)
		{
			pthread_t thread;
			void *result;
			struct stat st;
			mkfifo("fifo", 0600);
			pthread_create(&thread, NULL, wait_open, "fifo");
			pthread_cancel(thread);
			pthread_join(thread, &result);
			printf("%d %d %d\n", result == PTHREAD_CANCELED, cleaned, stat((char *)-1, &st));
			unlink("fifo");
			return 0;
		}
	END
	cc -w -pthread -o cancel cancel.c
	check "a thread that waits in an open" create cancel --from-host "$PWD/cancel"
	check "can be cancelled" expect_same ./cancel -- b/cancel/bin/cancel
fi

# --- replays: a directory that is not here is a copy that may be written to
mkdir -p project && echo old >project/file && printf '#!/bin/sh\necho "script in $(pwd): $(cat file)"\n' >project/run && chmod 755 project/run
work='cat file; echo new >file; mkdir sub; mv file sub/moved; cat $PWD/sub/moved; pwd; ls -l /proc/self/cwd | grep -o "[^/]*$"; ls; env | grep SIDEBUNDLE'
(cd project && sidebundle trace -o ../replay.trace -- sh -c "$work" >/dev/null)
rm -rf project/sub && echo old >project/file
(cd project && sidebundle trace -o ../run.trace -- ./run >/dev/null)
check "a replay" create r --from-trace replay.trace --from-trace run.trace
was=$PWD/project
mv project elsewhere
check "works in a copy of the directory" expect_output "old
new
$was
project
run
sub" bash -c 'b/r/bin/sh; exit 0'
check "the bundle is as it was" expect_status 0 sidebundle verify b/r
check "nothing is left" nothing_left
check "the same twice at once" expect_output 'old old' bash -c 'a=$(b/r/bin/sh | head -n 1) & b=$(b/r/bin/sh | head -n 1); wait; echo "$b $b"'
check "a script by its relative name" expect_output "script in $was: old" b/r/bin/run
check "changes are kept on demand" expect_output new bash -c 'mkdir kept; SIDEBUNDLE_WRITABLE=$PWD/kept b/r/bin/sh >/dev/null; cat "kept/upper$PWD/project/sub/moved"'
mv elsewhere project
check "the same where the directory is here" expect_output $'old\nnew' bash -c 'b/r/bin/sh 2>&1 | head -n 2'
check "which is left as it is" expect_output $'file\nrun\nold' bash -c 'ls project; cat project/file'

# --- what is no dynamically linked program
box=$(realpath "$(command -v busybox)")
if file -L "$box" 2>/dev/null | grep -q static || ! ldd "$box" >/dev/null 2>&1; then
	check "create tells of a static program" expect_match "busybox.*static.*not redirected" \
		sidebundle create --out-dir b --name box --run-mode host --from-host "$box"
	check "which runs" expect_output fine b/box/bin/busybox echo fine
fi

# --- where it lies
check "moved" expect_output payload bash -c "mv b/t b/u && b/u/bin/cat $app/data; mv b/u b/t"
check "with blanks and colons in its name" expect_output payload bash -c "cp -a b/t 'b/a :b' && 'b/a :b/bin/cat' $app/data"
check "read-only, by another name" expect_output payload bash -c "ln -s $t/bin/cat miau && ./miau $app/data"
mkdir "$t/extra" && cp "$ls_" "$t/extra/ls" && cp "$(realpath /bin/sh)" "$t/extra/sh"
for root in bare bullseye trixie; do
	if has_root $root; then
		check "$root: runs" expect_output one as_other_machine $root "$t" /bundle /bundle/bin/ls $app/plugins
		# With one of its own it is that machine's program, and sees that machine.
		[ $root != bare ] || check "$root: starts what needs a dynamic linker that is not there" expect_output one \
			as_other_machine $root "$t" /bundle /bundle/bin/sh -c "/bundle/extra/ls $app/plugins"
		[ $root != bare ] || check "$root: which can start itself again" expect_output "/bundle/extra/sh again" \
			as_other_machine $root "$t" /bundle /bundle/bin/sh -c "/bundle/extra/sh -c '/proc/self/exe -c \"echo \$0 again\" /bundle/extra/sh'"
		check "$root: starts its own" expect_output "$app/script x" as_other_machine $root "$t" /bundle /bundle/bin/sh -c "$app/script x"
	else
		skip_check "$root" "the root of another machine: $root (make roots)"
	fi
done
