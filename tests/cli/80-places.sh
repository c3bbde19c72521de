# Projects under $HOME and under /tmp, and runs that rewrite what they read.
. "$SB_TESTS/cli/lib.sh"
need userns root bare

make_here() { # COMMAND...: $PWD is the project; prints nothing, leaves the bundle in $SB_WORK/b
	rm -rf "$SB_WORK/b"
	sidebundle trace -b audit -o "$SB_WORK/t" -- "$@" >/dev/null 2>&1
	sidebundle create --from-trace "$SB_WORK/t" --name b --out-dir "$SB_WORK" >"$SB_WORK/log" 2>&1 ||
		{ cat "$SB_WORK/log"; return 1; }
}
replay() { SIDEBUNDLE_RUN_MODE=namespace as_other_machine bare "$SB_WORK/b" /b "/b/bin/$1"; }

place() { # DIR
	mkdir -p "$1" && cd "$1" || return 1
	echo 'data' >input
	make_here sh -c 'cat input; pwd; echo made >output; cat output; ls' || return 1
	[ "$(replay sh)" = "$(printf 'data\n%s\nmade\ninput\noutput' "$PWD")" ] || {
		replay sh
		return 1
	}
}
check "a project under HOME" place "$HOME/deep/project"
tmp=$(mktemp -d /tmp/sidebundle-case.XXXXXX)
check "a project under /tmp" place "$tmp/project"
rm -rf "$tmp"

# Whose directory others can enter, some programs do not use: tmux, ssh, postgres.
private_directory() {
	mkdir -p "$SB_WORK/own" && cd "$SB_WORK/own" || return 1
	mkdir -p keys/group keys/open && echo 'secret' >keys/file && chmod 700 keys && chmod 750 keys/group || return 1
	make_here sh -c 'cat keys/file; stat -c %a keys keys/group keys/open; echo made >keys/new; cat keys/new' ||
		return 1
	[ "$(SIDEBUNDLE_RUN_MODE=$1 as_other_machine bare "$SB_WORK/b" /b /b/bin/sh)" = \
		$'secret\n700\n700\n755\nmade' ] || {
		SIDEBUNDLE_RUN_MODE=$1 as_other_machine bare "$SB_WORK/b" /b /b/bin/sh
		return 1
	}
}
check "a directory that is its owner's alone" private_directory namespace
check "in host mode, too" private_directory host

# A build beside its sources, which goes when it is done; and what is known by what failed alone.
by_way() {
	rm -rf "$SB_WORK/way" && mkdir -p "$SB_WORK/way/src" "$SB_WORK/way/full/x" "$SB_WORK/way/there" && cd "$SB_WORK/way" || return 1
	echo source >src/file && touch lock
	# shellcheck disable=SC2016 # for the traced shell
	make_here sh -c 'mkdir build && cd build && cat ../src/file && cd .. && rmdir build
		mkdir there 2>/dev/null || echo "is there"; rmdir full 2>/dev/null || echo "is full"
		set -C; (echo >lock) 2>/dev/null || echo locked' || return 1
	! grep -q 'gone since' "$SB_WORK/log" || { cat "$SB_WORK/log"; return 1; }
	mv "$SB_WORK/way" "$SB_WORK/way.away" && cd / || return 1
	local got
	got=$(SIDEBUNDLE_RUN_MODE=$1 "$SB_WORK/b/bin/sh")
	rm -rf "$SB_WORK/way.away"
	[ "$got" = $'source\nis there\nis full\nlocked' ] || { echo "$got"; return 1; }
}
check "what was named by way of a directory that is gone" by_way namespace
check "in host mode, too" by_way host

# What a name meant before the run made a link of it, or renamed what is above it.
by_links() {
	rm -rf "$SB_WORK/links" && mkdir -p "$SB_WORK/links/conf" "$SB_WORK/links/p/d" && cd "$SB_WORK/links" || return 1
	ln -s ../f1 p/up && ln -s p there && echo one >f1 && echo orig >conf/f && echo other >conf/g && echo moved >p/d/m
	# shellcheck disable=SC2016 # for the traced shell
	make_here sh -c 'ln -s f1 l; cat l; rm l; ln -s /usr/bin/env run; ./run echo ran; rm run
		cat conf/f conf/g; mv conf conf.old; mkdir conf; echo new >conf/f; cat conf/f; rm -r conf; mv conf.old conf; cat conf/f
		mv p/d p/e; cat p/e/m; mv p/e p/d
		mkdir t; ln -s ../there/up t/l; ln -s "$PWD/t/l" k; cat k; rm -r t k' || return 1
	! grep -q 'gone since' "$SB_WORK/log" || { cat "$SB_WORK/log"; return 1; }
	[ -e "$SB_WORK/b/payload/usr/bin/env" ] || { echo "not by its own name"; return 1; }
	mv "$SB_WORK/links" "$SB_WORK/links.away" && cd / || return 1
	local got
	got=$(SIDEBUNDLE_RUN_MODE=$1 "$SB_WORK/b/bin/sh")
	rm -rf "$SB_WORK/links.away"
	[ "$got" = $'one\nran\norig\nother\nnew\norig\nmoved\none' ] || { echo "$got"; return 1; }
}
check "links that the run made and removed, and directories that it renamed" by_links namespace
check "in host mode, too" by_links host

recorded_home() {
	mkdir -p "$SB_WORK/at/home" && cd "$SB_WORK/at" || return 1
	echo 'of the traced' >home/.conf
	HOME=$PWD/home make_here sh -c 'cat ~/.conf; touch ~/new' || return 1
	[ "$(HOME=/elsewhere SIDEBUNDLE_RUN_MODE=$1 as_other_machine bare "$SB_WORK/b" /b /b/bin/sh)" = 'of the traced' ]
}
check "the home that was the traced command's" recorded_home namespace
check "in host mode, too" recorded_home host

git_status() {
	mkdir "$SB_WORK/repo" && cd "$SB_WORK/repo" || return 1
	git init -q . && git config user.email a@example.org && git config user.name A
	echo 1 >kept && git add kept && git commit -qm one
	echo 2 >>kept
	echo 3 >untracked
	# Stale stat data: git status rewrites the index that it reads.
	touch -d '1 hour ago' kept
	make_here git status --short || return 1
	[ "$(replay git)" = $' M kept\n?? untracked' ] || {
		replay git
		return 1
	}
}
if command -v git >/dev/null; then
	check "git status, which rewrites the index" git_status
else
	skip_check "git status" "the program git is missing"
fi

sqlite_rewrite() {
	mkdir "$SB_WORK/db" && cd "$SB_WORK/db" || return 1
	cat >count.py <<-'END'
		import sqlite3
		db = sqlite3.connect("counter.db")
		with db:
		    db.execute("create table if not exists c (n integer)")
		    db.execute("insert into c values ((select count(*) from c))")
		print("rows", db.execute("select count(*) from c").fetchone()[0])
	END
	/usr/bin/python3 count.py >/dev/null
	make_here /usr/bin/python3 count.py || return 1
	# Rows at create: two, the traced run's own among them; each replay starts from there.
	[ "$(replay python3)" = "rows 3" ] && [ "$(replay python3)" = "rows 3" ] || {
		replay python3
		return 1
	}
	grep -q 'counter\.db' "$SB_WORK/log" || { echo "no warning of the changed database"; return 1; }
}
if [ -x /usr/bin/python3 ]; then
	check "a sqlite database that the run rewrites" sqlite_rewrite
else
	skip_check "sqlite" "the program /usr/bin/python3 is missing"
fi

nameless_variable() {
	mkdir -p "$SB_WORK/odd" && cd "$SB_WORK/odd" || return 1
	/usr/bin/python3 - "$SB_PREFIX/bin/sidebundle" "$SB_WORK/t" <<-'END' || return 1
		import ctypes, os, sys
		# os.execve refuses such a variable; a program's environment may hold it all the same.
		def strings(*s): return (ctypes.c_char_p * (len(s) + 1))(*[x.encode() for x in s], None)
		tool, trace = sys.argv[1:]
		ctypes.CDLL(None).execve(tool.encode(), strings(tool, "trace", "-o", trace, "/bin/echo", "odd"),
		                         strings("PATH=" + os.environ["PATH"], "=nameless", "KEPT=1"))
	END
	sidebundle create --from-trace "$SB_WORK/t" --name b --out-dir "$SB_WORK" --force >"$SB_WORK/log" 2>&1 || return 1
	[ "$(replay echo)" = odd ]
}
check "a variable without a name" nameless_variable
