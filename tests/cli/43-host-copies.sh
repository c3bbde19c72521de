# Host mode: what the replay of a trace does to the recorded directories is done to copies, by whatever
# name it comes there; and this machine's own directories of these names stay as they are.
. "$SB_TESTS/cli/lib.sh"
[ -x /usr/bin/python3 ] || skip "the program /usr/bin/python3 is missing"

top=$PWD/q
project() { # what is there before the trace, and before each replay
	rm -rf "$top" && mkdir -p "$top/pr/sub" "$top/other" && cd "$top/pr" &&
		echo orig >f && echo keep >g && echo deep >sub/h &&
		ln -s "$top/pr/f" absolute && ln -s "$top/pr/sub" directory && ln -s ../../../q/pr/f up &&
		ln -s "$top/pr" ../other/in && ln -s /usr/share out
}
state() { (cd "$top" && find . -printf '%p %y %l\n' | sort && cat pr/f pr/g pr/sub/h); }

# Each case is traced in pr, and has to print the same in the replay: with the directory there, which is
# then to be as it was, and without it.
same_by() { # COMMAND
	local name=b before want got
	project || return 1
	sidebundle trace -b audit -o "$SB_WORK/t" -- sh -c "$1" >"$SB_WORK/want" 2>&1
	want=$(cat "$SB_WORK/want")
	project && rm -rf "${SB_WORK:?}/$name"
	sidebundle create --from-trace "$SB_WORK/t" --name $name --out-dir "$SB_WORK" >"$SB_WORK/log" 2>&1 || {
		cat "$SB_WORK/log"
		return 1
	}
	before=$(state)
	got=$(cd / && SIDEBUNDLE_RUN_MODE=host "$SB_WORK/$name/bin/sh" 2>&1)
	[ "$got" = "$want" ] || { printf 'wanted: %s\ngot: %s\n' "$want" "$got"; return 1; }
	[ "$(state)" = "$before" ] || { diff <(echo "$before") <(state); return 1; }
	mv "$top" "$top.away"
	got=$(cd / && SIDEBUNDLE_RUN_MODE=host "$SB_WORK/$name/bin/sh" 2>&1)
	mv "$top.away" "$top"
	[ "$got" = "$want" ] || { printf 'without it, wanted: %s\ngot: %s\n' "$want" "$got"; return 1; }
}
py() { echo "/usr/bin/python3 -c '$1'"; }

check "an absolute link" same_by 'echo x >absolute; cat f absolute'
check "a link to a directory" same_by 'echo x >directory/h; cat sub/h; rm directory/h; ls sub'
check "a link that goes up and comes back" same_by 'echo x >up; cat f; rm up; cat f'
check "a link that the run makes" same_by "ln -s $top/pr/sub new; echo x >new/k; cat sub/k; mv new/k g; cat g"
check "a link elsewhere that leads there" same_by "echo x >$top/other/in/f; cat f; rm $top/other/in/g; ls"
check "from above" same_by 'cd ..; echo x >pr/f; cat pr/f; rm pr/g; mkdir pr/new; ls pr; cat pr/absolute'
check "from the root" same_by "cd /; echo x >.$top/pr/f; cat ${top#/}/pr/f; touch ${top#/}/pr/new; ls ${top#/}/pr"
check "what lies above can be neither made nor moved" same_by 'ln -s . dot; ln -s .. dot 2>/dev/null || echo exists
	mkdir .. ../.. 2>/dev/null || echo exist; rmdir ../../q 2>/dev/null || echo stays; ls ..'
check "names that climb" same_by "echo x >$top/pr/sub/../f; cat ../pr/f sub/../../pr/f; rm ../pr/sub/../g; ls"
check "a walk from above" same_by 'cd ..; find pr -type f | sort; find pr -name h -delete; cp -r pr/sub pr/copy; find pr | sort; chmod 600 pr/f; stat -c %a pr/f'
check "descriptors of a directory above" same_by "$(py '
import os
d = os.open("..", os.O_RDONLY); r = os.open("/", os.O_RDONLY)
fd = os.open("pr/f", os.O_WRONLY | os.O_TRUNC, dir_fd=d); os.write(fd, b"x\n"); print(open("f").read())
os.unlink("pr/g", dir_fd=d); os.mkdir("pr/m", dir_fd=d); os.rename("pr/m", "pr/n", src_dir_fd=d, dst_dir_fd=d)
os.symlink("f", "pr/s", dir_fd=d); print(os.readlink("pr/s", dir_fd=d), sorted(os.listdir(".")))
print(os.stat(os.getcwd()[1:] + "/f", dir_fd=r).st_size, os.path.realpath("../pr/absolute") == os.path.realpath("f"))
try: os.open("pr/s", os.O_CREAT | os.O_EXCL, dir_fd=d)
except FileExistsError: print("exists")
')"
if command -v gcc >/dev/null; then
	cat >"$SB_WORK/within.c" <<-'END'
		#include <fcntl.h>
		#include <linux/openat2.h>
		#include <stdio.h>
		#include <sys/syscall.h>
		#include <unistd.h>
		int main(int argc, char **argv)
		{
			struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH};
			char text[8];
			long fd = syscall(SYS_openat2, AT_FDCWD, argv[1], &how, sizeof how);
			long n = fd < 0 ? 0 : read((int)fd, text, sizeof text);

			return argc != 2 || printf("%d %.*s\n", fd >= 0, (int)n, text) < 0;
		}
	END
	gcc -o "$SB_WORK/within" "$SB_WORK/within.c"
	check "names that are to stay within" same_by "$SB_WORK/within f; $SB_WORK/within sub/h; $SB_WORK/within ../pr/f"
fi
# The program itself is another one on the machine of the replay: it is the payload's that is to run.
mkdir -p "$SB_WORK/tl" && cp /usr/bin/env "$SB_WORK/tl/prog"
led_out() {
	same_by "ln -s $SB_WORK/tl/prog c; ./c echo led; ln -s c again; ./again echo again; PATH=.:\$PATH; c echo found" || return 1
	cp /usr/bin/false "$SB_WORK/tl/prog"
	[ "$(cd / && SIDEBUNDLE_RUN_MODE=host "$SB_WORK/b/bin/sh" 2>&1)" = "$(printf 'led\nagain\nfound')" ]
}
check "a link that the run makes, to a program" led_out
# shellcheck disable=SC2016 # for the traced shell
check "a script that the run makes, with an interpreter that it makes" same_by \
	'cp /bin/sh copy; ln -s /bin/sh link; for i in copy link; do printf "#!$PWD/$i\necho \$0 \$1 \$2\n" >script; chmod +x script; ./script a "b c"; PATH=$PWD:$PATH script; done'
# libc's child has 32 KiB of stack.
check "the same, spawned" same_by "cp /bin/sh copy; printf \"#!\$PWD/copy\necho spawned \\\$1\n\" >script; chmod +x script; ln -s script again
	$(py '
import os
for name in "./script", os.getcwd() + "/again": print(os.waitpid(os.posix_spawn(name, [name, "x"], os.environ), 0)[1], flush=True)
')"
if /usr/bin/python3 -c 'import venv' 2>/dev/null; then
	# shellcheck disable=SC2016
	check "a venv that the run makes, and a tool of its" same_by '/usr/bin/python3 -m venv --without-pip v
		printf "#!$PWD/v/bin/python3\nimport sys; print(sys.prefix, sys.argv)\n" >v/bin/tool; chmod +x v/bin/tool; v/bin/tool x
		v/bin/python3 -c "import sys; print(sys.prefix, sys.executable)"'
fi
check "links that lead out of it" same_by 'ls -d out/. out/doc/../doc; test -d out/misc/../doc && echo there'
check "a loop" same_by 'ln -s loop loop; cat loop 2>&1 | sed "s/.*: //"; ls -l loop | wc -l; rm loop; ls loop 2>&1 | wc -l'

# Beside the recorded directory this machine's are not copied: where both have a file, by whatever name,
# it is the payload's.
beside() {
	local want got
	project && echo beside >"$top/other/b" && printf '#!/bin/sh\necho beside ran\n' >"$top/other/tool" && chmod 755 "$top/other/tool" || return 1
	sidebundle trace -b audit -o "$SB_WORK/t" -- sh -c "$1" >"$SB_WORK/want" 2>&1
	want=$(cat "$SB_WORK/want")
	rm -rf "${SB_WORK:?}/b"
	sidebundle create --from-trace "$SB_WORK/t" --name b --out-dir "$SB_WORK" >"$SB_WORK/log" 2>&1 || return 1
	echo changed >"$top/other/b" && printf '#!/bin/sh\necho changed\n' >"$top/other/tool"
	for place in / "$top/other"; do
		got=$(cd "$place" && SIDEBUNDLE_RUN_MODE=host "$SB_WORK/b/bin/sh" 2>&1)
		[ "$got" = "$want" ] || { printf 'wanted: %s\ngot: %s\n' "$want" "$got"; return 1; }
	done
}
check "beside it" beside 'cat ../other/b; cd ../other; cat b ./b ../other/b; ./tool; sh tool; test -f b && stat -c %s b; cd ..; cat other/b; other/tool'
