# The real workloads of the oracle: what people trace. Source it; it calls
#
#	workload NAME FLAGS PROGRAMS <<'END'
#	SCRIPT, run by sh in an empty directory
#	END
#
# for each. PROGRAMS, separated by commas, must be there. FLAGS: `quick` ones are run by `make check`, the
# others by check-all; `static` ones are done by programs that are linked statically, or make system
# calls themselves; `-` is none. Each must do the same in every run, but for names of temporary files.

workload shell quick sh <<'END'
mkdir -p in/sub; echo x >in/sub/file; ln -s sub/file in/link
while read -r line; do echo "$line"; done <in/link
for f in in/*; do test -d "$f" && (cd "$f" && cat file >../copy); done
head -c 3 in/copy | tr x y; ls -l /nowhere; rm in/copy
sh -c 'exec cat in/link' | (read -r a; echo "$a")
END

workload bash quick bash <<'END'
bash -c 'shopt -s globstar nullglob; a=(/usr/share/doc/bash/*); echo ${#a[@]}; cat <(date) <<<x
	source /etc/profile; printf "%s\n" {1..3} | while read -r i; do echo $i; done; type -a ls; echo ~root
	mapfile -t lines </etc/passwd; echo "${#lines[@]}"; coproc cat; kill %1; wait'
END

workload coreutils - ls,stat,sort <<'END'
ls -lR /usr/lib/locale; stat /etc/passwd /etc; df . ; du -s /usr/share/doc/bash; id; groups; who; uname -a
sort -k1 /etc/passwd | uniq | cut -d: -f1 | head -3; cp -a /etc/passwd p; mv p q; install -m 600 q r
touch -r q r; chmod 644 r; ln q hard; readlink -f hard; rm q r hard; tty; nproc; realpath /bin/sh
END

workload text - awk,sed,grep,diff <<'END'
grep -rl root /etc/passwd /etc/group /etc/pam.d; awk -F: '{ print $1 > "users" }' /etc/passwd
sed -i s/root/admin/ users; diff users /etc/passwd | head -3; cmp users /etc/passwd
END

workload find-xargs quick find,xargs <<'END'
mkdir -p a/b/c; touch a/1 a/b/2 a/b/c/3
find a /usr/lib/locale -name '*a*' -newer /etc/passwd; find a -type f -print0 | xargs -0 -n 1 -P 2 wc -c
find a -name 2 -exec cat {} + -delete; find /etc -maxdepth 1 -name 'p*' -exec sh -c 'test -r "$1"' - {} \;
END

workload tar quick tar,gzip <<'END'
mkdir t; echo x >t/x; ln t/x t/y; ln -s x t/z
tar -cf t.tar t; tar -czf t.tgz t; mkdir out; tar -C out -xzf t.tgz; gzip -k t.tar; zcat t.tar.gz | tar -t
END

workload compressors - xz,zstd,bzip2 <<'END'
cp /etc/services s; xz -k s; zstd -q s; bzip2 -k s; xz -dc s.xz | cmp - s; zstd -q -dc s.zst | cmp - s
tar --zstd -cf s.tar.zst s; tar -tf s.tar.zst; bzip2 -dc s.bz2 | md5sum; sha256sum s
END

workload perl quick perl <<'END'
perl -e 'use POSIX; use File::Temp; use File::Find; use Data::Dumper; use IO::Socket; use Storable; use Encode;
find(sub { stat $_ }, "/etc/pam.d"); open(my $f, "<", "/etc/hostname"); print <$f>; print -s "/etc/passwd";
eval { require Nothing::There }; opendir(my $d, "/etc/pam.d"); print sort readdir $d; print `cat /etc/hostname`;
my ($fh, $n) = File::Temp::tempfile("tmp.XXXXXXXX", UNLINK => 1); print $fh "x"; print getpwuid(0), getgrnam("root")'
END

workload python quick /usr/bin/python3 <<'END'
/usr/bin/python3 -c '
import ssl, json, sqlite3, os, subprocess, tempfile, email, http.client, decimal, xml.dom.minidom, zipfile
db = sqlite3.connect("t.db"); db.execute("create table t (x)"); db.commit()
print(json.dumps(list(db.execute("select count(*) from t"))), ssl.create_default_context())
with tempfile.TemporaryDirectory() as d: open(os.path.join(d, "x"), "w")
subprocess.run(["cat", "/etc/hostname"]); os.listdir("/etc"); os.path.realpath("/etc/localtime")
for root, dirs, files in os.walk("/etc/pam.d"): [os.stat(os.path.join(root, f)) for f in files]'
END

workload python-processes - /usr/bin/python3 <<'END'
/usr/bin/python3 -c '
import multiprocessing, concurrent.futures, subprocess, os
if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool: print(pool.map(os.path.getsize, ["/etc/passwd", "/etc/group"]))
    with concurrent.futures.ThreadPoolExecutor(4) as pool: print(len(list(pool.map(os.stat, ["/etc"] * 9))))
    print(subprocess.run("cat /etc/hostname; exit 3", shell=True).returncode)'
END

workload python-compile - /usr/bin/python3 <<'END'
mkdir lib; cp -r /usr/lib/python3*/json lib/; rm -rf lib/json/__pycache__
/usr/bin/python3 -m compileall -q lib; PYTHONPATH=lib /usr/bin/python3 -m unittest -q json 2>&1 | head -3
END

workload gcc quick gcc <<'END'
printf '#include <stdio.h>\n#include <math.h>\nint main(void) { return puts("hello") < 0; }\n' >hello.c
gcc -O2 -g -c hello.c && gcc -o hello hello.o -lm && ./hello; gcc nothing.c; ar rcs libh.a hello.o; nm libh.a
END

workload clang - clang <<'END'
printf '#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n' >hello.c
clang -O1 -o hello hello.c && ./hello
END

workload make-check quick make,cc <<'END'
cp -a "$SB_TESTS/project" project; make -C project check
END

workload cmake - cmake,make,cc <<'END'
printf 'cmake_minimum_required(VERSION 3.10)\nproject(p C)\nadd_executable(p p.c)\n' >CMakeLists.txt
echo 'int main(void) { return 0; }' >p.c; cmake -S . -B b >/dev/null; make -C b; b/p
END

workload git quick git <<'END'
export GIT_AUTHOR_DATE=@1 GIT_COMMITTER_DATE=@1
git init -q repo && cd repo && git config user.name n && git config user.email e@x
echo a >f && git add f && git commit -qm one && git log -p && git status && git stash list
git checkout -q -b other; echo b >>f; git commit -qam two; git merge -q -; git gc -q; git fsck; git clone -q . ../clone
END

workload sqlite3 quick sqlite3 <<'END'
sqlite3 t.db 'create table t(x); insert into t values(1); select * from t; pragma integrity_check; vacuum'
sqlite3 t.db .dump
END

workload curl-loopback - curl,/usr/bin/python3 <<'END'
echo served >index.html
/usr/bin/python3 -c '
import http.server, threading, subprocess, functools
server = http.server.HTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
threading.Thread(target=server.serve_forever, daemon=True).start()
subprocess.run(["curl", "-sS", "--retry", "0", "http://127.0.0.1:%d/index.html" % server.server_port])
server.shutdown()' 2>/dev/null
curl -sS file:///etc/hostname; curl --version >/dev/null
END

workload openssl - openssl <<'END'
openssl genrsa -out key.pem 1024; openssl req -x509 -new -key key.pem -subj /CN=x -out cert.pem
openssl x509 -in cert.pem -noout -subject; openssl verify -CAfile cert.pem cert.pem; openssl dgst -sha256 key.pem
END

workload ssh-keygen quick ssh-keygen <<'END'
ssh-keygen -q -t ed25519 -N '' -f key -C comment; ssh-keygen -l -f key.pub; ssh-keygen -y -f key
END

workload gpg - gpg,gpgconf <<'END'
mkdir -m 700 gnupg; export GNUPGHOME=$PWD/gnupg
gpg --batch --quiet --passphrase '' --quick-gen-key me@example.org ed25519 sign never
echo text >text; gpg --batch --quiet --sign text; gpg --batch --verify text.gpg; gpg -k; gpgconf --kill all
END

workload locale quick locale <<'END'
locale -a; for l in C C.UTF-8 POSIX xx_YY.UTF-8; do LC_ALL=$l locale; LC_ALL=$l ls /nowhere; LC_ALL=$l date -d @0; done
END

workload iconv quick iconv <<'END'
printf 'caf\303\251' | iconv -f UTF-8 -t ISO-8859-1 | iconv -f ISO-8859-1 -t UTF-16 | iconv -f UTF-16 -t EUC-JP -c
iconv -l | head -2; iconv -f nothing -t UTF-8 /etc/passwd
END

workload getaddrinfo quick getent <<'END'
getent ahosts localhost; getent hosts 127.0.0.1; getent passwd root; getent group root; getent services http
getent protocols tcp; getent shadow root; getent networks
END

workload timezone quick date <<'END'
for z in Europe/Paris America/New_York UTC Nowhere/None /etc/localtime; do TZ=$z date -d @1000000000; done
date; TZ=Asia/Tokyo ls -l --full-time /etc/passwd; TZ=:Europe/Berlin perl -e 'print scalar localtime 0'
END

workload node - node <<'END'
node -e '
const fs = require("fs"), cp = require("child_process"), os = require("os"), path = require("path");
fs.writeFileSync("x", "y"); fs.readdirSync("/etc/pam.d").forEach(f => fs.statSync(path.join("/etc/pam.d", f)));
console.log(cp.execSync("cat /etc/hostname").toString(), os.cpus().length > 0, require.resolve.paths("x").length);
try { require("nothing-there") } catch (e) { console.log(e.code) }
fs.promises.readFile("x").then(d => console.log(d.length)); require("crypto").randomBytes(4)'
END

workload java - java <<'END'
java -XX:-UsePerfData -Xshare:auto -version; java -XX:-UsePerfData -XX:+PrintFlagsFinal -version >/dev/null
END

workload tcl - tclsh <<'END'
echo 'puts [glob /etc/pam.d/*]; puts [exec cat /etc/hostname]; puts [clock format 0 -timezone :Europe/Paris]' | tclsh
END

workload fakeroot - fakeroot <<'END'
fakeroot sh -c 'touch f; chown 0:0 f; stat -c %u f; tar -cf f.tar f; tar -tvf f.tar'
END

workload debian - dpkg,apt-cache <<'END'
dpkg -S /bin/sh; dpkg -l bash; apt-cache policy bash; dpkg-query -W coreutils; dpkg --print-architecture
END

workload terminal - tput,script <<'END'
TERM=xterm tput cols; TERM=vt100 infocmp | head -2; script -qec 'tty; ls --color=always /etc/pam.d' /dev/null </dev/null
END

workload gdb - gdb,cc <<'END'
printf 'int main(void) { return 0; }\n' >p.c; cc -g -o p p.c
gdb -nx -batch -ex 'info line main' -ex 'disassemble main' p; readelf -d p >/dev/null; objdump -d p >/dev/null; ldd p
END

workload busybox quick,static busybox <<'END'
busybox sh -c 'busybox cat /etc/passwd; busybox ls -l /etc/pam.d; for f in a b; do echo $f >$f; done
	busybox tar -cf t.tar a b; busybox tar -tf t.tar; busybox find . -name "[ab]" | busybox xargs busybox wc -l
	busybox stat a; busybox awk "{ print }" a; busybox vi --help; /bin/ls -l a'
END

workload musl-static static musl-gcc <<'END'
printf '#include <stdio.h>\nint main(void) { return !fopen("/etc/hostname", "r"); }\n' >p.c
musl-gcc -static -o p p.c && ./p; musl-gcc -o q p.c && ./q
END

workload go static go <<'END'
export GOCACHE=$PWD/cache GOPATH=$PWD/path GOFLAGS=-mod=mod GOTOOLCHAIN=local GOPROXY=off
mkdir hello && cd hello && go mod init example.org/hello
printf 'package main\n\nimport (\n\t"fmt"\n\t"os"\n)\n\nfunc main() { d, _ := os.ReadFile("/etc/hostname"); fmt.Print(string(d)) }\n' >main.go
go build -p 1 -o hello . && ./hello; go vet .
END
