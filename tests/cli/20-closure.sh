# The static closure of small programs, one folder of tests/closure each, held against the real linker.
#
# `build` makes the program `x` (or what `# program:` says); `want` is the tree without libc and linker, @ for
# the directory; `# status:` what deps exits with. What ld.so would load is compared unless
# `# no-oracle:` says why not.
# timeout: 300
. "$SB_TESTS/cli/lib.sh"
CC=${CC:-gcc}
need "$CC"
MULTIARCH=$($CC -print-multiarch)
export MULTIARCH # for the folders' build
echo 'int main(void) { return 0; }' >main.c
: >empty.c
main=$PWD/main.c empty=$PWD/empty.c

lib() { # OUT ARG...: a library that does nothing
	local out=$1
	shift
	mkdir -p "$(dirname "$out")"
	$CC -shared -fPIC -nostdlib "-Wl,--no-as-needed,-soname,${out##*/},--allow-shlib-undefined" \
		-Wl,--unresolved-symbols=ignore-all -o "$out" "$empty" "$@" || exit 77
}
prog() { # OUT ARG...
	local out=$1
	shift
	mkdir -p "$(dirname "$out")"
	$CC -Wl,--no-as-needed,--unresolved-symbols=ignore-all -o "$out" "$main" "$@" || exit 77
}
note() { # JSON: note.o, with that dlopen note
	printf '.section .note.dlopen, "a", %%note\n.balign 4\n.long 4, 2f - 1f, 0x407c0c0a\n.asciz "FDO"\n1: .string "%s"\n2:\n.balign 4\n.section .note.GNU-stack\n' \
		"${1//\"/\\\"}" | $CC -c -x assembler -o note.o - || exit 77
}

header() { sed -n "s/^# $1: *//p" "$2"; }
in_folder() { sed "s|$PWD|@|g"; }
is_own() { grep -vE '(^|[ /])(libc\.so\.6|libc\.so|ld-linux[^ ]*|ld-musl[^ ]*|linux-(vdso|gate)[^ ]*)( |$)'; }

# What our tree says is loaded: real paths, and names that were not found.
ours() {
	is_own <tree | grep -vE '\[(dlopen|config|interp|script)|variant\]' |
		sed -n 's/^ *\([^ ]*\) => not found.*/\1 not found/p; s/^ *.* => \(.*\) \[.*/\1/p; s/^ \{4,\}\(\/[^ ]*\) \[.*/\1/p' |
		real_paths
}
oracle() { # PROGRAM
	if [ "$kind" = musl ]; then
		"$(sed -n 's/^    \(\/[^ ]*\) \[interp\]/\1/p' tree)" --list "$1" 2>/dev/null
	else
		env "${environment[@]}" LD_TRACE_LOADED_OBJECTS=1 "$1" 2>/dev/null
	fi | is_own | sed -n 's/^[\t ]*\([^ ]*\) => not found.*/\1 not found/p; s/^[\t ]*[^ ]* => \(\/.*\) (0x.*/\1/p; s/^[\t ]*\(\/[^ ]*\) (0x.*/\1/p' |
		real_paths
}
real_paths() {
	while read -r path rest; do
		case $path in
		/*) realpath "$path" ;;
		*) echo "$path $rest" ;;
		esac
	done | sort -u
}

closure_case() { # FOLDER, in a directory of its own
	local program status got=0 kind
	program=$(header program "$1/build") status=$(header status "$1/build") kind=$(header oracle "$1/build")
	program=$PWD/${program:-x}
	environment=(A=1)
	[ -z "$(header env "$1/build")" ] || environment+=("$(header env "$1/build" | sed "s|@|$PWD|g")")
	env "${environment[@]}" sidebundle deps "$program" >tree 2>errors || got=$?
	in_folder <tree | is_own >got
	[ "$got" -eq "${status:-0}" ] || { echo "status $got"; cat errors tree; return 1; }
	if [ -e "$1/want" ]; then
		diff -u "$1/want" got || return 1
	fi
	[ -z "$(header no-oracle "$1/build")" ] || return 0
	# A kernel may lack 32-bit programs.
	(export LD_TRACE_LOADED_OBJECTS=1 && exec "$program") >/dev/null 2>&1
	[ $? -ne 126 ] || return 0
	ours >ours
	oracle "$program" >oracle
	diff -u oracle ours
}

for folder in "$SB_TESTS"/closure/*; do
	name=${folder##*/}
	mkdir "$name"
	(
		cd "$name" || exit 1
		(. "$folder/build") >build.log 2>&1 && exit 0
		[ $? -eq 77 ] || { cat build.log; exit 1; }
		exit 77
	)
	case $? in
	0) cd "$name" && check "$name" closure_case "$folder"; cd "$SB_WORK" || exit 1 ;;
	77) skip_check "$name" "it cannot be built here" ;;
	*) check "$name is built" false ;;
	esac
done
