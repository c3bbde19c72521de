# Host mode: sockets that have a path, pointers that lead nowhere, and whether the payload may be
# written to.
# shellcheck disable=SC2016 # for the shell in the bundle
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/hand_bundle.sh" # nothing_left

cp "$SB_TARGETS"/{sockets,faults} . || exit 1
app=/srv/sidebundle-test
mkdir -p app/sub out && echo payload >app/data && ln -s data app/link && ln -s "$PWD/out" app/out
make_it() { sidebundle create --out-dir . --name b --run-mode host --from-host "$PWD/sockets" --from-host "$PWD/faults" \
	--from-host "$(realpath "$(command -v bash)")" --copy-dir app:$app >/dev/null; }
check "create" make_it
b=$PWD/b/bin

# --- what is this machine's
check "a socket of this machine" expect_same ./sockets "$PWD/s" -- "$b/sockets" "$PWD/s"
check "by a relative name" expect_same ./sockets s -- "$b/sockets" s
check "one without a name" expect_match 'bind: fine' "$b/sockets" ''
check "one that is not there" expect_same ./sockets "$PWD/no/s" -- "$b/sockets" "$PWD/no/s"

# --- what is the payload's
check "a link of it leads out" expect_match '^got abc' "$b/sockets" $app/out/s
check "to the place itself" expect_match "getsockname: .*'$PWD/out/s'" "$b/sockets" $app/out/s
check "there is no socket in a file" expect_match 'connect: ECONNREFUSED' "$b/sockets" $app/data connect
check "nor through one" expect_match 'connect: ENOTDIR' "$b/sockets" $app/data/s connect
check "a name that is taken" expect_match 'bind: EADDRINUSE' "$b/sockets" $app/data
check "it is not written to" expect_match 'bind: EROFS' "$b/sockets" $app/s
check "nor by a relative name" expect_match 'bind: EROFS' "$b/bash" -c "cd $app && '$b/sockets' s"
check "from below it, one of this machine" expect_match '^got abc' "$b/bash" -c "cd $app && '$b/sockets' out/s"

# --- replays: in a copy of the directory, whose own name has no room in an address, nearly, and not at all
for len in 0 88 105; do
	dir=$PWD/project
	while [ ${#dir} -lt $((len - 4)) ]; do dir+=/in; done
	mkdir -p "$dir" && cp sockets "$dir/"
	(cd "$dir" && sidebundle trace -o "$SB_WORK/replay.trace" -- ./sockets "$dir/s" >/dev/null)
	told() { r/bin/sockets | if [ $len = 105 ]; then grep -v name; else cat; fi; }
	(cd "$dir" && ./sockets "$dir/s") | if [ $len = 105 ]; then grep -v name; else cat; fi >want
	check "create a replay, $len bytes" expect_status 0 bash -c 'sidebundle create --force --out-dir . --name r --run-mode host --from-trace replay.trace >/dev/null'
	mv project moved
	check "it binds and connects, $len bytes" expect_output "$(cat want)" told
	check "nothing is left" nothing_left
	rm -rf moved
done

# --- pointers that lead nowhere
check "EFAULT as without us" expect_same ./faults "$PWD/app/data" "$PWD/app/link" -- \
	"$b/faults" "$PWD/app/data" "$PWD/app/link"
mv app here # so that it is the payload's
faults() { "$b/faults" $app/data $app/link; }
here() { sed "s|$app|$PWD/here|g" <(./faults "$PWD/here/data" "$PWD/here/link"); }
check "for what is redirected" expect_same here -- faults

# --- may it be written to
access() { "$b/bash" -c "$1 && echo yes || echo no"; }
check "a file of the payload may be read" expect_output yes access "test -r $app/data"
check "and not be written to" expect_output no access "test -w $app/data"
check "nor its directory" expect_output no access "test -w $app"
check "nor by a relative name" expect_output no access "cd $app && test -w data"
check "what a link of it leads out to may" expect_output yes access "test -w $app/out"
check "and this machine's" expect_output yes access "test -w '$PWD/here/data' && test -w here"
