# What the oracle's cases share; source it after lib.sh.
#
#	all_workloads [LOCK...]		every workload (workloads.sh) traced by SB_BACKEND, on a machine locked
#					down so (tests/tools/lockdown), and judged
#
# The truth is what two runs under ptrace agree on (strace, where ptrace itself is judged): what only one
# of them has is a matter of timing. A success that both have, and the trace at hand has not, is a miss; a
# success that the trace has, and none of them, is an extra. Runs share the directory's name, and happen
# in the same environment.
case $SB_BACKEND in
ptrace) truth=strace ;;
*) truth=ptrace ;;
esac
run=$PWD/run refs=$PWD/refs
mkdir -p "$refs"
export SB_TESTS

# In an empty directory; WATCH is a command that takes another one.
run_workload() { # NAME WATCH...
	local name=$1
	shift
	rm -rf "$run" && mkdir -p "$run/home" "$run/tmp" "$run/work" || return 1
	(cd "$run/work" && HOME=$run/home TMPDIR=$run/tmp "$@" sh "../../$name.sh") \
		>"$name.out" 2>"$name.err" </dev/null
}

strace_run() { # NAME OUT
	run_workload "$1" strace -f -y -qq -s 8192 -o "$PWD/strace.out" \
		-e trace=%file,fchdir,clone,clone3,fork,vfork
	(cd "$run/work" && "$SB_TOOLS/accesses" --strace "$run" ../../strace.out) >"$2.new" && mv "$2.new" "$2"
}

trace_run() { # NAME OUT BACKEND LOCK...
	local name=$1 out=$2 backend=$3
	local -a lock=()
	shift 3
	[ $# -eq 0 ] || lock=("$SB_TOOLS/lockdown" "$@" --)
	rm -f trace
	run_workload "$name" ${lock[@]+"${lock[@]}"} sidebundle trace -b "$backend" -o "$PWD/trace" --
	[ -s trace ] || { head -n 3 "$name.err"; return 1; }
	"$SB_TOOLS/accesses" "$run" trace >"$out"
}

# Of this case alone: its own script is in them by its own name, and several cases run at once.
references() { # NAME [ANEW]
	local i
	for i in 1 2; do
		[ -n "${2:-}" ] || [ ! -e "$refs/$1.$truth.$i" ] || continue
		if [ $truth = strace ]; then
			strace_run "$1" "$refs/$1.strace.$i"
		else
			trace_run "$1" "$refs/$1.ptrace.new" ptrace && blind_programs >"$refs/$1.ptrace.blind" &&
				mv "$refs/$1.ptrace.new" "$refs/$1.ptrace.$i"
		fi || return 1
	done
}

# Programs that the trace names as not seen into, one a line.
blind_programs() {
	tail -n 1 trace | grep -o '"why":"[a-z-]*","path":"[^"]*"' |
		grep -v -e '"outlived"' -e '"lost"' | sed 's/.*"path":"//; s/"$//' | xargs -r realpath |
		sed "s,^$run/,WORK/," | sort -u
}

# Prints the sums, and the misses and extras into a file; fails where there are any.
judge() { # NAME KINDS
	local -a hidden=()
	blind_programs >blind.list
	[ $truth = strace ] || hidden=("$refs/$1.$truth.blind")
	awk -F '\t' -v name="$1" -v kinds="$2" -v backend="$SB_BACKEND" '
		# What a program that is not seen into executes again is not seen, either.
		function is_again() { return $3 == "exec" && $4 == "/proc/PID/exe" && ($5 in blind) }
		function is_wanted() {
			return index(kinds, $3) && !($2 in blind) && !is_again() && !($3 == "exec" && ($4 in unheard))
		}
		FILENAME == "blind.list" { blind[$0]; next }
		FILENAME == "seen" && early { if ($3 == "exec") ran[$4]; next }
		# Nor is what it executes, and what that does, where nothing was heard of it.
		early {
			if ($3 == "exec" && ($5 in blind) && !($4 in ran) && !($4 in blind)) {
				blind[$4]
				unheard[$4]
			}
			next
		}
		# Who keeps its memory from the truth may be seen from inside.
		FILENAME ~ /\.blind$/ { hidden[$0]; next }
		{ key = $2 "\t" $3 "\t" $4 }
		# realpath() is a look at what it is given; to the kernel it asks of every component.
		$3 == "link" { any[$2 "\tstat\t" $4]; next }
		FILENAME ~ /\.1$/ { if (is_wanted()) first[key]; any[key]; next }
		FILENAME ~ /\.2$/ { if (key in first) both[key]; any[key]; next }
		is_wanted() {
			if ($1 == "?") unknown[key]; else sure[key]
		}
		END {
			for (key in both) {
				all++
				if (key in sure || key in unknown) found++; else print "miss\t" key >"misses"
			}
			for (key in sure) {
				split(key, part, "\t")
				if (part[1] in hidden) continue
				told++
				if (key in any) right++; else print "extra\t" key >"misses"
			}
			for (key in unknown) if (!(key in sure)) open++
			recall = all ? 100 * found / all : 100
			precision = told ? 100 * right / told : 100
			printf "table: %-9s %-18s %6d of %6d  %5.1f %%  precision %5.1f %%  unknown %d\n",
				backend, name, found, all, int(10 * recall) / 10, int(10 * precision) / 10, open
			exit !(found == all && right == told && all)
		}' blind.list early=1 seen "$refs/$1.$truth.1" "$refs/$1.$truth.1" early=0 \
		${hidden[@]+"${hidden[@]}"} "$refs/$1.$truth.1" "$refs/$1.$truth.2" seen
}

# Misses and extras by program and kind, the longest first, and some of them.
explain() {
	cut -f 1-3 misses | sort | uniq -c | sort -rn | head -n 8
	sort misses | head -n 12
}

judged() { # NAME LOCK...
	local name=$1 kinds='open exec stat' anew good
	shift
	[ "$SB_BACKEND" != fanotify ] || kinds='open exec'
	# What was bad luck in one run is not bad luck again, with the truth told anew.
	for anew in '' anew; do
		references "$name" $anew && trace_run "$name" seen "$SB_BACKEND" "$@" || return 1
		: >misses
		good=0
		judge "$name" "$kinds" >sums || good=1
		[ $good -ne 0 ] || break
	done
	cat sums
	[ $good -eq 0 ] || explain
	return $good
}

all_workloads() { # LOCK...
	locks=("$@")
	"$SB_TOOLS/lockdown" no-ptrace -- true || skip "seccomp is refused here"
	if [ $truth = strace ]; then
		need strace
	elif ! sidebundle trace -b ptrace -o /dev/null -- true 2>/dev/null; then
		skip "ptrace, which tells the truth, is refused here"
	fi
	. "$SB_TESTS/conformance/workloads.sh"
}

workload() { # NAME FLAGS PROGRAMS; the script on stdin
	local program
	cat >"$1.sh"
	[[ ,$2, == *,quick,* ]] || [ "$SB_ALL" -eq 1 ] || return 0
	for program in ${3//,/ }; do
		command -v "$program" >/dev/null || { skip_check "$1" "the program $program is missing"; return 0; }
	done
	check "$1" judged "$1" ${locks[@]+"${locks[@]}"}
}
