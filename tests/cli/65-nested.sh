# A trace inside a trace, and traced programs that watch or confine others themselves: both work, or the
# trace says what it did not see.
# right: sys_admin
# timeout: 120
# not sanitized: it traces sidebundle itself, which is to be a program like others
. "$SB_TESTS/cli/lib.sh"
echo data >data

# --- a trace in a trace, for each pair that works here ---------------------------------------------
shows() { sidebundle show "$1" --format paths --kind open | grep -qxF -- "$PWD/data"; }
notes() { tail -n 1 "$1" | grep -q "\"why\":\"$2\""; }
complete() { tail -n 1 "$1" | grep -q '^{"end":true,.*"lost":0,'; }

pair() { # OUTER INNER
	rm -f outer inner
	expect_output data sidebundle trace -b "$1" -o outer -- sidebundle trace -b "$2" -o inner cat data &&
		complete outer && complete inner && shows inner || return 1
	# The outer one saw it too, or says whose it was.
	shows outer || notes outer nested
}
for outer in audit fanotify; do
	for inner in audit fanotify; do
		if { [ "$outer" != fanotify ] && [ "$inner" != fanotify ]; } ||
			sidebundle trace -b fanotify -o /dev/null true 2>/dev/null; then
			check "$inner inside $outer" pair $outer $inner
		else
			skip_check "$inner inside $outer" "marks on the mounts: CAP_SYS_ADMIN"
		fi
	done
done
sidebundle trace -b audit -o outer sh -c 'sidebundle trace -b audit -o inner cat data; cat data' >out 2>&1
check "what follows the inner trace is the outer one's again" shows outer
check "and the inner command is named" notes outer nested

# --- programs that watch others --------------------------------------------------------------------
works() { # NAME WANT COMMAND...: its output, and the file that it reads is in the trace
	local want=$2
	shift 2
	sidebundle trace -b audit -o t "$@" >out 2>err
	grep -qx "$want" out && complete t && shows t
}
if command -v strace >/dev/null; then
	check "strace" works strace data strace -f -o strace.out cat data
else
	skip_check strace "the program strace is missing"
fi
if command -v gdb >/dev/null; then
	check "gdb" works gdb data gdb -nx -q -batch -ex run --args cat data
else
	skip_check gdb "the program gdb is missing"
fi
if has_userns && command -v bwrap >/dev/null; then
	# It wants either all rights or none.
	check "bwrap" works bwrap data setpriv --inh-caps=-all --ambient-caps=-all \
		bwrap --dev-bind / / cat data
else
	skip_check bwrap "user namespaces, or the program bwrap"
fi

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
for backend in audit fanotify; do
	if sidebundle trace -b "$backend" -o /dev/null true 2>/dev/null; then
		check "chromium, under $backend" browse "$backend"
	else
		skip_check "chromium, under $backend" "marks on the mounts: CAP_SYS_ADMIN"
	fi
done
