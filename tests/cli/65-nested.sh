# A trace inside a trace, and traced programs that watch or confine others themselves: both work, or one is
# refused with a clear word, or the trace says what it did not see. Over every backend that there is.
# right: sys_admin
# timeout: 240
# not sanitized: it traces sidebundle itself, which is to be a program like others
. "$SB_TESTS/cli/lib.sh"
echo data >data

# As doctor has them; those that do not work here are named.
backends=()
while read -r name works _; do
	if [ "$works" = yes ]; then
		backends+=("$name")
	else
		skip_check "$name" "it does not work here"
	fi
done < <(sidebundle doctor | awk '/ HERE / { table++; next } table == 1 && ($2 == "yes" || $2 == "no")')
check "there are some" test ${#backends[@]} -gt 1

shows() { sidebundle show "$1" --format paths --kind open | grep -qxF -- "$PWD/data"; }
notes() { tail -n 1 "$1" | grep -q "\"why\":\"$2\""; }
complete() { tail -n 1 "$1" | grep -q '^{"end":true,.*"lost":0,'; }
# Those that are the one tracer, or the one listener, that a process can have.
traces() { [[ $1 == @(ptrace|combined) ]]; }
listens() { [[ $1 == @(notify|hybrid) ]]; }
# What the inner one asks the kernel for, the outer one has already, or its calls go to the outer one first.
shut_out() { # OUTER INNER
	{ traces "$1" || listens "$1"; } && { traces "$2" || listens "$2"; }
}

# --- a trace in a trace, for each pair that works here ---------------------------------------------
pair() { # OUTER INNER
	rm -f outer inner
	if shut_out "$1" "$2"; then
		expect_status 125 sidebundle trace -b "$1" -o outer -- \
			sidebundle trace -b "$2" -o inner cat data >out 2>err || return 1
		grep -E "^sidebundle: error: backend $2: .*trace within a trace.*take -b audit" err &&
			[ ! -s out ] && [ ! -e inner ] && complete outer
		return
	fi
	expect_output data sidebundle trace -b "$1" -o outer -- sidebundle trace -b "$2" -o inner cat data &&
		complete outer && complete inner && shows inner || return 1
	# The outer one saw it too, or says whose it was.
	shows outer || notes outer nested
}
# The best of what is left: so a suite that traces can be traced.
auto() { # OUTER
	rm -f outer inner
	expect_output data sidebundle trace -b "$1" -o outer -- sidebundle trace -o inner cat data &&
		complete outer && complete inner && shows inner
}
for outer in "${backends[@]}"; do
	for inner in "${backends[@]}"; do
		check "$inner inside $outer" pair "$outer" "$inner"
	done
	check "auto inside $outer" auto "$outer"
done
sidebundle trace -b audit -o outer sh -c 'sidebundle trace -b audit -o inner cat data; cat data' >out 2>&1
check "what follows the inner trace is the outer one's again" shows outer
check "and the inner command is named" notes outer nested

# --- programs that watch others --------------------------------------------------------------------
# Its output, and the file that it reads is in the trace; where there is one tracer only, it is refused and noted.
watches() { # BACKEND WANT COMMAND...
	local backend=$1 want=$2
	shift 2
	sidebundle trace -b "$backend" -o t "$@" >out 2>err
	complete t || { cat err; return 1; }
	if traces "$backend"; then
		notes t debugger
	else
		grep -qx "$want" out && shows t && ! notes t debugger
	fi
}
# It is shown by the kernel what its filter names; where ours comes first, that is noted.
filters() { # BACKEND
	rm -f strace.out
	sidebundle trace -b "$1" -o t strace -f --seccomp-bpf -e trace=openat -o strace.out cat data >out 2>err
	complete t || { cat err; return 1; }
	if traces "$1" || listens "$1"; then
		notes t debugger && expect_match '^sidebundle: .*could not trace .*/strace \(debugger\).*-b audit' cat err
	else
		grep -q '"data"' strace.out && grep -qx data out && shows t && ! notes t debugger
	fi
}
own_listener() { # BACKEND
	expect_status 0 sidebundle trace -b "$1" -o t "$SB_TARGETS/listens" data >out 2>err &&
		complete t && shows t || { cat err; return 1; }
	if traces "$1" || listens "$1"; then
		grep -qx "somebody listens" out && notes t debugger
	else
		grep -qx listened out && ! notes t debugger
	fi
}
for backend in "${backends[@]}"; do
	if command -v strace >/dev/null; then
		check "strace, under $backend" watches "$backend" data strace -f -o strace.out cat data
		check "strace with a filter, under $backend" filters "$backend"
	else
		skip_check "strace, under $backend" "the program strace is missing"
	fi
	if command -v gdb >/dev/null; then
		check "gdb, under $backend" watches "$backend" data gdb -nx -q -batch -ex run --args cat data
	else
		skip_check "gdb, under $backend" "the program gdb is missing"
	fi
	check "a listener of its own, under $backend" own_listener "$backend"
done

# --- programs that confine others ------------------------------------------------------------------
confines() { # BACKEND COMMAND...
	local backend=$1
	shift
	# It wants either all rights or none.
	sidebundle trace -b "$backend" -o t setpriv --inh-caps=-all --ambient-caps=-all "$@" >out 2>err &&
		grep -qx data out && complete t || return 1
	# A /dev of its own has no log: what the modules cannot tell there is noted.
	shows t || { [ "$backend" = audit ] && notes t unreachable; }
}
for backend in "${backends[@]}"; do
	if has_userns && command -v bwrap >/dev/null; then
		check "bwrap, under $backend" confines "$backend" bwrap --dev-bind / / cat data
		check "bwrap with all of it, under $backend" confines "$backend" bwrap --unshare-all --die-with-parent \
			--new-session --ro-bind / / --proc /proc --dev /dev --tmpfs /run cat data
	else
		skip_check "bwrap, under $backend" "user namespaces, or the program bwrap"
	fi
done

# --- a browser with its own sandbox, which takes a while --------------------------------------------
if [ "$SB_ALL" != 1 ]; then
	exit 0
elif ! command -v chromium >/dev/null || ! has_userns; then
	skip_check chromium "user namespaces, or the program chromium"
	exit 0
fi
echo '<p>hello</p>' >page.html
browse() { # BACKEND
	sidebundle trace -b "$1" --timeout 50 -o t setpriv --inh-caps=-all --ambient-caps=-all \
		chromium --headless --disable-gpu --no-first-run --dump-dom "file://$PWD/page.html" >out 2>err
	grep -q '<p>hello</p>' out && complete t && sidebundle show t --format paths | grep -qxF "$PWD/page.html"
}
for backend in "${backends[@]}"; do
	check "chromium, under $backend" browse "$backend"
done
