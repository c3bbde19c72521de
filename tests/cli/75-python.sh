# The python3 in /usr/bin with ssl, json and sqlite3: extension modules, data found by built-in paths.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/subject.sh"
need /usr/bin/python3
prepare() {
	cat >program.py <<-'END'
		import json, sqlite3, ssl, sys, encodings, locale
		db = sqlite3.connect("new.db")
		db.execute("create table t (a, b)")
		db.execute("insert into t values (1, 'ä')")
		db.commit()
		print(json.dumps({"rows": db.execute("select * from t").fetchall(), "ssl": ssl.OPENSSL_VERSION,
		    "contexts": len(ssl.create_default_context().get_ciphers()) > 0,
		    "executable": sys.executable, "prefix": sys.prefix, "path": sys.path[1:],
		    "encoding": sys.getfilesystemencoding()}, ensure_ascii=False))
	END
}
subject /usr/bin/python3 program.py

# Without a trace's directory and arguments: an entry for use with other ones.
make_tool() {
	sidebundle create --from-host '/usr/bin/python3::trace=-c "import json, ssl, sqlite3"' \
		--name py --out-dir "$SB_WORK/tool" >"$SB_WORK/tool.log" 2>&1 || { cat "$SB_WORK/tool.log"; return 1; }
}
check "python3: bundled from the host with one trace" make_tool
script='import sys, json, ssl, sqlite3; print(json.dumps(sys.argv[1:])); sys.exit(5)'
if has_userns && has_root bare; then
	_capture "$SB_WORK/a" /usr/bin/python3 -c "$script" x "y z"
	there() { SIDEBUNDLE_RUN_MODE=namespace as_other_machine bare "$SB_WORK/tool/py" /py /py/bin/python3 "$@"; }
	_capture "$SB_WORK/b" there -c "$script" x "y z"
	same() { cmp "$SB_WORK/a.out" "$SB_WORK/b.out" && cmp "$SB_WORK/a.err" "$SB_WORK/b.err" &&
		cmp "$SB_WORK/a.status" "$SB_WORK/b.status"; }
	check "python3: other arguments, in the bare root" same
fi
