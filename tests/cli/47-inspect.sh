# inspect: what the manifest says of a bundle, for people and for programs.
. "$SB_TESTS/cli/lib.sh"

mkdir proj && echo data >proj/data && printf -- '-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----\n' >proj/key.pem
(cd proj && sidebundle trace -b audit -o ../t.trace -- cat data key.pem) >/dev/null
printf 'int main(void) { return 0; }\n' >main.c
still=()
if cc -static -o still main.c 2>/dev/null; then still=(--from-host "$PWD/still"); fi
# With a note that the go command leaves.
cat >go.c <<-'END_OF_C'
	__asm__(".section .note.go.buildid,\"a\",@note\n.long 4, 4, 4\n.asciz \"Go\"\n.byte 0\n.long 0\n.text");
	int main(void) { return 0; }
END_OF_C
cc -o go go.c 2>/dev/null && still+=(--from-host "$PWD/go")
ls=$(realpath "$(command -v ls)")
make_it() { sidebundle create --out-dir . --name b --run-mode namespace --from-host "$ls" "${still[@]}" --from-trace t.trace >/dev/null 2>&1; }
check "create" make_it

table() { expect_match "$1" sidebundle inspect b; }
check "its name" table '^bundle: b$'
check "its run mode" table '^run mode: namespace$'
check "what it needs" table "^needs: $(uname -m), Linux [0-9.]+"
check "an entry" table "^  bin/ls  $ls$"
check "a replay" table "^  bin/cat .*\(replay of cat data key.pem\)  in $PWD/proj$"
check "sizes by reason" table '^ +[0-9.]+ [KM]iB +[0-9]+  needed$'
check "in all" table '  in all$'
check "by folder" table '  /usr/lib$'
check "by package" table '^by package:$'
check "what was left out" table "secret: $PWD/proj/key.pem"
if [ -e still ]; then
	check "a static program" table "^      $PWD/still$"
	check "and what that means" table '^  1 statically linked: .*not redirected'
else
	skip_check "a static program" "a compiler that links statically"
fi
if [ -e go ]; then
	check "one in Go" table '^  1 written in Go: .*not redirected'
else
	skip_check "one in Go" "a compiler"
fi
[ "$(uname -m)" != x86_64 ] || check "how the rest is started" table '^  [0-9]+ started in their own place'

json() { # EXPRESSION: of the object `b`
	sidebundle inspect --format json b | python3 -c "import json, sys; b = json.load(sys.stdin); sys.exit(not ($1))"
}
if command -v python3 >/dev/null; then
	check "json: names" json 'b["name"] == "b" and b["run_mode"] == "namespace"'
	check "json: a replay" json '[e["argv"] for e in b["entries"] if e["argv"]] == [["cat", "data", "key.pem"]]'
	check "json: sums are the same whatever by" json 'all(sum(x["bytes"] for x in b["sizes"][k]) == b["sizes"]["bytes"] for k in ("reasons", "folders", "packages"))'
	check "json: what was left out" json 'any(x["why"] == "secret" for x in b["left_out"])'
	[ ! -e still ] || check "json: what is not redirected" json 'any(x["path"].endswith("/still") and x["gap"] == "static" for x in b["host"]["gaps"])'
fi

check "nothing is executed or looked at" expect_match '^bundle: b$' bash -c 'mkdir bare && cp b/manifest.lock bare/ && sidebundle inspect bare'
check "what it says it lacks verifies" expect_status 0 sidebundle verify b
sed 's/"host_gap":"static"/"host_gap":"odd"/; s/"host_gap":"go"/"host_gap":"odd"/' b/manifest.lock >bare/manifest.lock
[ ! -e go ] || check "a manifest that is odd is refused" expect_match 'host_gap' sidebundle inspect bare
check "no bundle" expect_match 'is .* a bundle|manifest' sidebundle inspect proj
check "which fails" expect_status 1 sidebundle inspect proj
check "none named" expect_status 2 sidebundle inspect
check "two named" expect_status 2 sidebundle inspect b b
check "an unknown format" expect_status 2 sidebundle inspect --format yaml b
