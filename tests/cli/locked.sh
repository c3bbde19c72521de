# What cases on machines that grant less share; source it after lib.sh. The case defines
#
#	on WHAT COMMAND...	runs COMMAND on such a machine, in this directory
#
# and has ./bundle, with an entry `cat`.

# "NAME yes" or "NAME no" of doctor's first table, or its second.
doctor_says() { # WHAT TABLE
	on "$1" sidebundle doctor | awk -v wanted="$2" '
		/ HERE / { table++; next }
		table == wanted && ($2 == "yes" || $2 == "no") { print $1, $2 }'
}
auto_takes() { # WHAT TABLE
	on "$1" sidebundle doctor | awk -v wanted="$2" '$1 == "auto" && ++seen == wanted { print $3 }'
}

# What doctor says works does work, and what it says does not fails with a reason; -1 where neither.
as_told() { # yes|no REASON COMMAND...
	local told=$1 reason=$2 status=0
	shift 2
	"$@" >try.out 2>try.err </dev/null || status=$?
	# Of a container that ends at once podman may not hear the last words.
	if [ -n "${loses_words:-}" ] && [ $status -eq 125 ] && ! [ -s try.err ]; then
		status=0
		"$@" >try.out 2>try.err </dev/null || status=$?
	fi
	case $told in
	yes) [ $status -eq 0 ] ;;
	no) [ $status -eq 125 ] && grep -q "^sidebundle: .*$reason" try.err ;;
	esac && return
	echo "doctor says $told, but status $status: $*"
	head -n 3 try.err
	return 1
}
doctor_is_right() { # WHAT
	local name told bad=0
	doctor_says "$1" 1 >backends
	[ -s backends ] || { echo "doctor names no backends"; return 1; }
	while read -r name told; do
		as_told "$told" "backend $name" on "$1" sidebundle trace -b "$name" -o t.trace -- cat /etc/passwd || bad=1
		[ "$told" = no ] || sidebundle show --format paths t.trace | grep -qx /etc/passwd || bad=1
	done <backends
	doctor_says "$1" 2 >modes
	[ -s modes ] || { echo "doctor names no run modes"; return 1; }
	while read -r name told; do
		as_told "$told" "" on "$1" sidebundle run --run-mode "$name" bundle cat /etc/hostname || bad=1
	done <modes
	return $bad
}
auto_is_told() { # WHAT
	on "$1" sidebundle trace -o t.trace -- true || return 1
	expect_output "$(auto_takes "$1" 1)" sed -n '1s/.*"backend":"\([a-z]*\)".*/\1/p' t.trace
}
