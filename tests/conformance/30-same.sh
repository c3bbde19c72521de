# Real programs do the same, traced and not.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"

same_here() { # NAME PROGRAM SCRIPT: a shell script that uses PROGRAM, in a directory of its own
	local name=$1 program=$2 script=$3
	if ! command -v "$program" >/dev/null; then
		skip_check "$name" "the program $program is missing"
		return
	fi
	printf '%s\n' 'rm -rf run && mkdir run && cd run || exit 9' "$script" >"$name.sh"
	check "$name" same "$name" bash "$name.sh"
}
same_here git git 'export GIT_AUTHOR_DATE=@1 GIT_COMMITTER_DATE=@1
	git init -q . && git config user.name n && git config user.email e@x && echo a >f &&
	git add f && git commit -qm one && git log -p --format=%H%s && git status && git gc -q && git fsck'
same_here perl perl 'perl -MPOSIX -MFile::Temp -MData::Dumper -e "
	print join(q(,), sort map { s{.*/}{}r } keys %INC), qq(\n); print -s q(/etc/passwd), qq(\n); exit 3"'
same_here python /usr/bin/python3 '/usr/bin/python3 -c "
import json, sqlite3, ssl, subprocess, os, tempfile, multiprocessing
db = sqlite3.connect(\"t.db\"); db.execute(\"create table t (x)\"); db.execute(\"insert into t values (42)\"); db.commit()
print(json.dumps(db.execute(\"select * from t\").fetchall()), ssl.OPENSSL_VERSION)
with tempfile.TemporaryDirectory() as t: print(len(os.listdir(t)))
print(subprocess.run([\"sh\", \"-c\", \"echo hi; exit 4\"], capture_output=True))
with multiprocessing.Pool(3) as pool: print(pool.map(abs, range(-3, 3)))
os.open(\"/nowhere\", os.O_RDONLY)"'
same_here sqlite sqlite3 'sqlite3 t.db "create table t(x); insert into t values(1); select * from t; pragma integrity_check"'
same_here gcc gcc 'echo "int puts(const char *); int main(void) { return puts(\"hello\") < 0; }" >h.c &&
	gcc -O2 -o h h.c && ./h; gcc nothing.c; ls -A'
same_here make make 'printf "all: a b c\n%%:\n\t@echo \$@ >\$@; cat \$@\nfail:; false\n" >Makefile; make -j4 | sort; make fail'
same_here tar tar 'mkdir t; echo x >t/x; ln t/x t/y; ln -s x t/z; tar -cf t.tar --mtime=@0 t && tar -tf t.tar && sha256sum t.tar; tar -xf nothing'
same_here find find 'mkdir -p a/b/c; touch a/1 a/b/2; find a | sort; find a -name 2 -exec cat {} +; find nothing; ls -R a; du a'
same_here shell bash 'mkfifo p; (echo through >p &) ; cat p; cat <<<here; set -- *; echo $#; : >x; test -e x && echo there
	exec 3<>x; echo y >&3; read -r l <x; echo $l; cd /nowhere; type ls | wc -l; false | true; echo ${PIPESTATUS[*]}'
same_here timeout timeout 'timeout 0.2 sleep 5; echo $?; sh -c "timeout -s KILL 0.2 sleep 5; exit \$?" 2>/dev/null; echo $?'
same_here locale locale 'for l in C C.UTF-8 POSIX; do LC_ALL=$l locale; done; LC_ALL=xx_YY.UTF-8 ls /nowhere'
same_here curl curl 'curl --version; curl -s file:///etc/passwd | wc -l; curl -s http://127.0.0.1:9/'
same_here iconv iconv 'printf "caf\303\251" | iconv -f UTF-8 -t ISO-8859-1 | od -c; iconv -f nothing; getent passwd root; date -u -d @0; TZ=Europe/Paris date -d @0'
