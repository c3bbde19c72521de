# The programs of the matrix: each prepares an empty directory, and names the command that is traced
# in it and then replayed. Where they are there, create_NAME has more options for create, needs_NAME
# is what has to be installed, if that is not the command, and place_NAME is where the directory is to
# be (else below /tmp). What a command prints may depend on nothing that differs between two runs of
# it, or two users.
# shellcheck disable=SC2034,SC2016 # for the matrix; for other programs

quick='ls tar perl python3 bash git static in-home'
slow='curl node gcc vim sqlite3 openssl multicall env-s venv php ruby go go-cgo in-srv'

prepare_ls() { mkdir data && touch data/a "data/name with spaces" && ln -s a data/link; }
command_ls=(ls -1FR data)

prepare_tar() { mkdir data && echo one >data/one && echo two >data/two && tar --sort=name --mtime=@0 -czf data.tar.gz data; }
command_tar=(tar -xzOf data.tar.gz)

prepare_perl() { :; }
command_perl=(perl -MJSON::PP '-MDigest::SHA=sha256_hex' -MData::Dumper -e '
	print JSON::PP->new->canonical->encode({ a => [1, 2], b => undef }), "\n", sha256_hex("x"), "\n";
	$Data::Dumper::Sortkeys = 1; print Dumper({ a => 1 }); print STDERR "warned\n"; exit 3')

prepare_python3() {
	cat >program.py <<-'END'
		import ctypes, encodings.idna, json, locale, multiprocessing, sqlite3, ssl, subprocess, sys
		def square(n): return n * n
		if __name__ == "__main__":
		    db = sqlite3.connect(":memory:")
		    db.execute("create table t (a)")
		    db.execute("insert into t values ('ä')")
		    with multiprocessing.get_context("fork").Pool(2) as pool:
		        squares = pool.map(square, range(5))
		    said = subprocess.run(["sh", "-c", "echo from sh"], capture_output=True, text=True).stdout
		    print(json.dumps([db.execute("select * from t").fetchall(), ssl.OPENSSL_VERSION, squares, said,
		        ctypes.CDLL("libc.so.6").abs(-3), sys.executable, sys.prefix, sys.argv, sys.path[1:]]))
	END
}
command_python3=(/usr/bin/python3 program.py)

prepare_bash() {
	echo 'b a b c a b' >words
	printf '#!/bin/bash\n%s\n' \
		'tr " " "\n" <words | sort | uniq -c | sort -rn | sed "s/^ *//" | awk "{ print \$2, \$1 }" | grep -v zzz | head -n 3 |
			cut -c 1- | tee copy | cat
		echo "$0 $# $1" >&2; wc -l <copy; exit 7' >script
	chmod +x script
}
needs_bash=bash
command_bash=(./script 'two words')

prepare_git() {
	git init -q -b main one && git -C one config user.name T && git -C one config user.email t@example.org &&
		echo content >one/file && git -C one add file &&
		GIT_AUTHOR_DATE='1700000000 +0000' GIT_COMMITTER_DATE='1700000000 +0000' git -C one commit -qm first
	cat >work.sh <<-END
		export GIT_AUTHOR_DATE='1700000001 +0000' GIT_COMMITTER_DATE='1700000001 +0000'
		export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'
		git clone -q "file://$PWD/one" two && cd two && git config user.name T && git config user.email t@example.org &&
			echo more >>file && git commit -qam second && git log --format='%h %s' --stat && git status --short
	END
}
command_git=(sh work.sh)

prepare_static() { cp "$(command -v busybox)" .; }
needs_static=busybox
command_static=(./busybox sh -c 'echo static; [ -x ./busybox ] && echo there; exit 4')

# Below the home that the other machines have too, and that is bound over the payload there.
prepare_place() {
	mkdir -p data/sub ../.settings && echo one >data/one && echo two >data/sub/two && ln -s data/one link &&
		echo set >../.settings/program && printf '#!/bin/sh\necho "tool in $PWD: $*"\n' >tool && chmod +x tool && cp tool ../beside &&
		cat >work.sh <<-'END'
			set -e
			pwd
			cat link "$PWD/data/sub/two" "$PWD/../.settings/program"
			cat ../.settings/program data/../../.settings/program
			ls data
			"$PWD/tool" a b && ./tool c && ../beside d && "$PWD/../beside" e
			echo more >>data/one && cat "$PWD/data/one"
			mkdir new && echo x >new/file && mv new "$PWD/data/new" && rm -r data/sub
			ls -R data
			(cd data/new && ls "$PWD")
			exit 5
		END
}
prepare_in-home() { prepare_place; }
place_in_home=/home
command_in_home=(sh work.sh)

# --- in check-all
prepare_in-srv() { prepare_place; }
place_in_srv=/srv
command_in_srv=(sh work.sh)

prepare_php() {
	echo 'key = value' >data.ini
	cat >program.php <<-'END'
		<?php
		echo json_encode([parse_ini_file("data.ini"), hash("sha256", "x"), preg_replace('/a+/u', 'ä', 'caat'), PHP_VERSION,
			extension_loaded("ctype"), php_ini_loaded_file(), PHP_BINARY, $argv]), "\n";
		date_default_timezone_set("Europe/Berlin");
		echo date(DATE_ATOM, 0), "\n", (new DateTime("@0"))->setTimezone(new DateTimeZone("Asia/Tokyo"))->format("c"), "\n";
		fwrite(STDERR, "warned\n");
		exit(6);
	END
}
command_php=(php program.php 'two words')

prepare_ruby() {
	mkdir lib && echo 'module Part; def self.name = __FILE__.split("/").last; end' >lib/part.rb
	cat >program.rb <<-'END'
		require "json"
		require "digest"
		require "set"
		require "erb"
		require_relative "lib/part"
		puts JSON.generate([Digest::SHA256.hexdigest("x"), Set[1, 2].to_a, ERB.new("<%= 6 * 7 %>").result, RUBY_VERSION,
			Part.name, `echo from sh`, "ä".encode("UTF-16LE").bytes, "ä".encode("EUC-JP", undef: :replace).bytes])
		warn "warned"
		exit 4
	END
}
command_ruby=(ruby program.rb)

# Built once, with a cache of its own. Go asks the kernel itself, with libc in the process or not: so
# one that needs a dynamic linker, it would start by this machine's, and does not.
prepare_in_go() { # 0|1: with C
	local made=$SB_WORK/made-go/$1
	if [ ! -x "$made/hello" ]; then
		mkdir -p "$made"
		{ printf 'package main\n'; [ "$1" -eq 0 ] || printf '// #include <stdlib.h>\nimport "C"\n'; cat <<-'END'; } >"$made/hello.go"
			import "crypto/sha256"
			import "fmt"
			import "os"
			import "os/exec"
			import "path/filepath"

			func main() {
				text, err := os.ReadFile("data")
				fmt.Printf("%s%v %x %q\n", text, err, sha256.Sum256(text), os.Args[1:])
				self, err := os.Executable()
				fmt.Println(filepath.Base(self), err)
				if len(os.Args) < 3 && LIBC == 0 {
					out, err := exec.Command("./hello", os.Args[1], "again").CombinedOutput()
					fmt.Print(string(out), err, "\n")
				}
				fmt.Fprintln(os.Stderr, "warned", LIBC)
				os.Exit(3)
			}
		END
		sed -i "s/LIBC/$([ "$1" -eq 0 ] && echo 0 || echo 'C.abs(-2)')/" "$made/hello.go"
		(cd "$made" && GO111MODULE=off GOFLAGS='' GOCACHE=$SB_WORK/made-go/cache CGO_ENABLED=$1 go build -o hello hello.go) || return 1
	fi
	echo text >data && cp "$made/hello" .
}
prepare_go() { prepare_in_go 0; }
needs_go=go
command_go=(./hello 'two words')
prepare_go-cgo() { prepare_in_go 1; }
needs_go_cgo=go
command_go_cgo=(./hello 'two words')

prepare_curl() {
	mkdir ca && (cd ca && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
		-keyout key.pem -out ca.pem -subj /CN=localhost -addext subjectAltName=DNS:localhost) 2>/dev/null
	echo secret >page
	cat >fetch.sh <<-'END'
		: >server.log
		openssl s_server -accept 127.0.0.1:0 -cert ca/ca.pem -key ca/key.pem -WWW >server.log 2>&1 &
		server=$!
		for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
			port=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' server.log)
			[ -z "$port" ] || break
			sleep 0.2
		done
		[ -n "$port" ] || while read -r line; do echo "server: $line"; done <server.log
		curl -sS --cacert ca/ca.pem "https://localhost:$port/page"
		status=$?
		kill $server
		exit $status
	END
}
command_curl=(sh fetch.sh)
# The server's key is one.
create_curl=(--allow-secrets)

prepare_node() { echo 'const crypto = require("crypto"); console.log(process.argv0, crypto.createHash("sha256").update("x").digest("hex"), new Intl.DateTimeFormat("en-GB", { timeZone: "UTC" }).format(0))' >app.js; }
command_node=(node app.js)

prepare_gcc() {
	printf '#include <stdio.h>\n#include <math.h>\nint main(int c, char **v) { (void)v; printf("%%.3f\\n", sqrt(c + 1.0)); return 0; }\n' >main.c
	printf 'all: main\n\t./main\nmain: main.c\n\tgcc -O1 -o main main.c -lm\n' >Makefile
}
command_gcc=(make)

prepare_vim() { printf 'one\ntwo\n' >text; }
command_vim=(vim -es -u NONE -N -c '%s/two/three/' -c '%print' -c 'qa!' text)

prepare_sqlite3() { sqlite3 db 'create table t (a, b); insert into t values (1, "x"), (2, "y");'; }
command_sqlite3=(sqlite3 -header -column db 'select * from t order by a desc')

prepare_openssl() { echo text >file; }
command_openssl=(openssl dgst -sha3-256 file)

prepare_multicall() { ln -s "$(command -v busybox)" sort && printf 'b\na\n' >text; }
needs_multicall=busybox
command_multicall=(./sort text)

prepare_env-s() { printf "#!/usr/bin/env -S perl -w -l\nprint \"split: @ARGV\";\n" >tool && chmod +x tool; }
needs_env_s=perl
declare -a 'command_env_s=(./tool a b)'

prepare_venv() { /usr/bin/python3 -m venv --without-pip --symlinks env && echo 'import sys, json; print(sys.prefix != sys.base_prefix, json.dumps([1]))' >app.py; }
needs_venv=python3
command_venv=(env/bin/python app.py)
