# Host mode, names that do not stand alone: links that lead out of the payload, names that begin at a
# directory of it, directories that both have, the payload and this machine.
# shellcheck disable=SC2016 # for the shell in the bundle
. "$SB_TESTS/cli/lib.sh"

app=/srv/sidebundle-test
mkdir -p app/sub etc outside && echo payload >app/data && echo in >app/sub/in && echo outside >outside/file && echo only >etc/only
ln -s $app/data app/absolute && ln -s $app/sub app/dir && ln -s /dev/stdout app/log && ln -s "$PWD/outside" app/outside
ln -s "$PWD/started" app/started && printf '#!/bin/sh\necho "started $1"\n' >started && chmod 755 started
programs=()
for program in bash cat chmod find ln ls mkdir mv rm stat; do
	command -v $program >/dev/null || continue
	programs+=(--from-host "$(realpath "$(command -v $program)")")
done
make_it() { sidebundle create --out-dir . --name b --run-mode host "${programs[@]}" --copy-dir app:$app --copy-dir etc:/var --copy-dir outside:"$PWD/here" >/dev/null; }
check "create" make_it
inside() { "$PWD/b/bin/bash" -c "$1"; }
in_app() { inside "cd $app && $1"; }

# --- links that lead out of it
check "a link to a file outside" expect_output outside inside "cat $app/outside/file"
check "what goes on behind it" expect_match "No such file" inside "cat $app/outside/absent"
check "a link to a device is written to" expect_output hello inside "echo hello >$app/log"
check "and a new file behind one" expect_output new inside "echo new >$app/outside/new && cat outside/new"
check "which can be removed" expect_output gone inside "rm $app/outside/new && test ! -e outside/new && echo gone"
check "by a relative name too" expect_output gone inside "cd $app && : >outside/more && rm outside/more && echo gone"
check "and a directory made" expect_output made inside "mkdir $app/outside/dir && rm -r $app/outside/dir && echo made"
check "one that is there is there, by its whole name" expect_match 'File exists' inside "mkdir $app/sub"
check "a program behind one" expect_output "started x" inside "$app/started x"

# --- names that begin at a directory of it
check "an absolute link" expect_output payload in_app 'cat absolute'
check "a directory behind one" expect_output in in_app 'cat dir/in && test -d dir'
check "the link itself" expect_output 'symbolic link' in_app 'stat -c %F absolute'
check "by descriptor" expect_output "$app/absolute
$app/data
$app/dir/in
$app/sub/in" inside "find $app -follow -type f ! -path '*/outside/*' ! -name started | { mapfile -t all; printf '%s\n' \"\${all[@]}\" | LC_ALL=C sort; }"
check "one that leads out" expect_output outside in_app 'cat outside/file'
check "to a device" expect_output hello in_app 'echo hello >log'

# --- it is not written to, by whatever name
before=$(find b/payload -printf '%p %s %T@\n' | sort)
check "not by opening" expect_match 'Read-only file system' in_app 'echo x >data'
check "nor by adding" expect_match 'Read-only file system' in_app 'echo x >new'
check "nor by removing" expect_match 'Read-only file system' in_app 'rm -f data'
check "a directory that is there is there" expect_match 'File exists' in_app 'mkdir sub'
check "and one that is not cannot be made" expect_match 'Read-only file system' in_app 'mkdir new'
# By a whole name, too: what only the bundle has is there.
check "a whole name: not by opening" expect_match 'Read-only file system' inside "echo x >$app/data"
check "nor by adding, by that" expect_match 'Read-only file system' inside "echo x >$app/new"
check "nor by removing" expect_match 'Read-only file system' inside "rm -f $app/data"
check "nor by removing what is not there" expect_match 'Read-only file system|No such file' inside "rm -r $app/none"
check "nor can one be made" expect_match 'Read-only file system' inside "mkdir $app/new"
check "or a link" expect_match 'Read-only file system' inside "ln -s data $app/new"
check "nor is it changed" expect_match 'Read-only file system' inside "chmod 777 $app/data; :"
check "what is not there is not changed" expect_match 'No such file' inside "chmod 777 $app/none; :"
check "nor moved within it" expect_match 'Read-only file system' inside "mv $app/data $app/new"
check "a file that is moved out of it is copied first" expect_match 'Read-only file system' inside "mv $app/data moved"
check "so it is there" expect_output payload cat moved
check "one that is moved into it stays" expect_match 'Read-only file system' inside "mv moved $app/new"
check "and is there" expect_output payload cat moved
check "removing what is not there is no error" expect_status 0 inside "rm -f $app/none"
check "by a name that begins above it" expect_match 'Read-only file system' inside "cd ${app%/*} && mkdir ${app##*/}/new"
check "and to remove" expect_match 'Read-only file system' inside "cd ${app%/*} && rm -f ${app##*/}/data"
check "with a slash at its end" expect_match 'Read-only file system' inside "mkdir $app/new/"
check "through a file" expect_match 'Not a directory' inside "mkdir $app/data/new"
check "elsewhere, what is not there is not there" expect_match 'No such file' inside 'mkdir /none/new'
check "which left it as it was" expect_output "$before" bash -c 'find b/payload -printf "%p %s %T@\n" | sort'

# --- directories that both have
both() { { ls -A "$1" && echo "$2"; } | LC_ALL=C sort; }
check "a list shows both" expect_output "$(both /var only)" inside 'LC_ALL=C ls -A /var'
check "entered" expect_output "$(both /var only)" inside 'cd /var && LC_ALL=C ls -A'
check "twice" expect_output "$(both /var only; both /var only)" inside 'cd /var && LC_ALL=C ls -A . && LC_ALL=C ls -A .'
check "by descriptor" expect_output "/var/only" inside 'find /var -maxdepth 1 -name only -size 1'
check "the root's" expect_output "$(both / '' | sed '/^$/d')" inside 'LC_ALL=C ls -A /'
mkdir here && touch here/mine here/file
check "the current directory, this machine's first" expect_output $'file\nmine' inside 'cd here && LC_ALL=C ls -A'
rm here/file
check "and then the bundle's" expect_output $'file\nmine\noutside' inside 'cd here && LC_ALL=C ls -A && cat file'
hides() { ! inside 'ls /usr/lib' | grep -qx os-release; }
check "but below /usr only the payload" hides

# --- every way of reading one
if command -v cc >/dev/null; then
	cat >lister.c <<-'END'
		#define _GNU_SOURCE
		#include <dirent.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		static char room[64]; /* one name at a time, or two */
		int main(int argc, char **argv)
		{
			DIR *dir = opendir(argv[1]);
			int count[4] = {0};
			for (int i = 0; dir && i < 3; i++, rewinddir(dir))
				while (readdir(dir))
					count[i]++;
			lseek(dirfd(dir), 0, SEEK_SET);
			for (long n; (n = syscall(SYS_getdents64, dirfd(dir), room, sizeof room)) > 0;)
				for (long at = 0; at < n; at += *(unsigned short *)(room + at + 16))
					count[3]++;
			printf("%d %d %d %d\n", count[0], count[1], count[2], count[3]);
			closedir(dir);
			return argc < 2;
		}
	END
	cc -w -o lister lister.c
	mkdir -p many && (cd many && touch a b c d e f g h)
	lists() { sidebundle create --out-dir . --name l --run-mode host --from-host "$PWD/lister" --copy-dir many:"$PWD/both" >/dev/null; }
	check "create a lister" lists
	mkdir both && touch both/a both/z
	check "rewound, and in small pieces" expect_output '11 11 11 11' l/bin/lister both
	check "where this machine has all" expect_output '11 11 11 11' bash -c 'touch both/{a,b,c,d,e,f,g,h} && l/bin/lister both'
fi
