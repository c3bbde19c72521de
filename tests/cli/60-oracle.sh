# The audit backend against strace, in one and the same run: what a dynamically linked program opened or
# executed through libc's public functions or the dynamic linker is in the trace, and nothing else is.
# timeout: 400
. "$SB_TESTS/cli/lib.sh"
need strace
strace -o /dev/null true 2>/dev/null || skip "ptrace is refused here"

oracle() { # NAME COMMAND...
	local name=$1
	shift
	strace -f -y -qq -s 8192 --seccomp-bpf -e trace=%file,fchdir,clone,clone3,fork,vfork \
		-o "$name.strace" sidebundle trace -b audit -o "$name.trace" -- "$@" \
		>"$name.out" 2>"$name.err" </dev/null || true
	printf '%s: ' "$name" >>sums
	"$SB_TOOLS/oracle" "$name.strace" "$name.trace" "$SB_PREFIX" >"$name.report" || {
		cat "$name.report" "$name.err"
		return 1
	}
	tail -n 1 "$name.report" | tee -a sums
}
workload() { # NAME PROGRAM COMMAND...
	local name=$1 program=$2
	shift 2
	if ! command -v "$program" >/dev/null; then
		skip_check "$name" "the program $program is missing"
		return
	fi
	check "$name" oracle "$name" "$@"
}

mkdir -p in/sub && echo x >in/sub/file && ln -s sub/file in/link
cat >script.sh <<'END'
cd in || exit 1
while read -r line; do echo "$line"; done <link
for f in *; do test -d "$f" && (cd "$f" && cat file >../copy); done
head -c 3 copy | tr x y; ls -l /nowhere; . ./none 2>/dev/null; rm copy
sh -c 'exec cat link' | (read -r a; echo "$a")
END
cat >split.sh <<'END'
#!/usr/bin/env -S -u NOTHING A=b sh -e
echo "$A" "$@" && cat in/link
END
chmod +x split.sh
cat >modules.pl <<'END'
use POSIX; use File::Temp; use File::Find; use Data::Dumper; use IO::Socket; use Storable; use Encode;
find(sub { stat $_ }, "in"); open(my $f, "<", "in/link"); print <$f>;
eval { require Nothing::There }; opendir(my $d, "in"); print sort readdir $d; print `cat in/sub/file`;
END
cat >modules.py <<'END'
import ssl, json, sqlite3, os, subprocess, tempfile
db = sqlite3.connect("t.db"); db.execute("create table if not exists t (x)"); db.commit()
print(json.dumps(list(db.execute("select count(*) from t"))), ssl.create_default_context())
with tempfile.TemporaryDirectory() as d: open(os.path.join(d, "x"), "w")
subprocess.run(["cat", "in/link"]); os.listdir("in"); os.path.realpath("in/link")
END
cat >hello.c <<'END'
#include <stdio.h>
int main(void) { return puts("hello") < 0; }
END
cat >commit.sh <<'END'
export GIT_AUTHOR_DATE=@1 GIT_COMMITTER_DATE=@1
git init -q repo && cd repo && git config user.name n && git config user.email e@x || exit 1
echo a >f && git add f && git commit -qm one && git log -p && git status && git stash list
END
cp -a "$SB_TESTS/project" project 2>/dev/null

workload ls ls ls -lR in /usr/lib/locale
workload tar tar tar -cvf t.tar in
workload tar-compressed gzip tar -czf t.tar.gz in
workload curl curl curl --version
workload git git sh commit.sh
workload perl perl perl modules.pl
workload python /usr/bin/python3 /usr/bin/python3 modules.py
workload bash bash bash script.sh
workload env-split env ./split.sh argument
workload gcc gcc sh -c 'gcc -O2 -o hello hello.c && ./hello'
[ -d project ] && workload make make make -C project -j2 check
workload find find find in /usr/lib/locale -name '*a*' -newer hello.c -exec cat {} +
workload static busybox sh -c 'busybox cat in/link; cat in/link'

echo "recall and precision:"
cat sums
