# Names that break what was not written with care.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
d=$(fresh d)

: >"$d/file" && ln -s file "$d/link"
check "pointers that lead nowhere" same faults "$T/faults" "$d/file" "$d/link"

check "odd names" traced paths 0 "$T/paths" "$d"

check "walks that change the directory" traced walks 0 "$T/walks" "$(fresh walks.d)"

deep() {
	local dir
	dir=$(fresh deep.d)
	also deep "blind unnamed $T/deep"
	traced deep 0 "$T/deep" "$dir" || return 1
	! grep -q '/lost"\|/beneath"' deep.trace
}
check "directories that are too deep for a name" deep

exact_bytes() {
	local name
	sidebundle show --format paths -0 paths.trace | tr '\0\n' '\n\1' >names || return 1
	printf '%s\n' "$d/new"$'\1'"line" "$d/"$'\1' "$d/"$'\xff\xfe\x80' "$d/caf"$'\xe9' >wanted
	while IFS= read -r name; do
		grep -qaxF -- "$name" names || { printf 'not shown: %q\n' "$name"; return 1; }
	done <wanted
}
check "show -0 gives exact bytes" exact_bytes
no_controls() {
	sidebundle show "$@" paths.trace >shown || return 1
	! LC_ALL=C grep -a -q $'[\x01-\x08\x0b-\x1f\x7f]' shown
}
check "show's table holds no control characters" no_controls
check "nor do its JSON lines" no_controls --format json
one_line_each() {
	local events
	events=$(grep -c '"event"' paths.trace)
	[ "$events" -gt 0 ] && python3 -c 'import json, sys
for line in open(sys.argv[1], encoding="utf-8"): json.loads(line)' paths.trace
}
if command -v python3 >/dev/null; then
	check "the trace is UTF-8 and JSON, line by line" one_line_each
else
	skip_check "the trace is UTF-8 and JSON, line by line" "the program python3 is missing"
fi

fleeting() {
	local real name here bad=0
	here=$(pwd -P)
	for name in one two three four; do echo "$name" >"$name"; done
	printf '#!/bin/sh\n' >script && chmod 755 script
	# shellcheck disable=SC2016 # for the traced shell
	trace_into fleeting sh -c '
		ln -s one link && cat link && rm link && ln -s two link && cat link && rm link
		mkdir made && ln -s "$1" made/link && cat made/link/three && rm -r made
		ln -s four link && read -r line <link && rm link
		ln -s /usr/bin/env run && ./run true && rm run
		ln -s script run && ./run && rm run' - "$PWD" || return 1
	for name in one two three four; do
		grep '"event":"open"' fleeting.trace | grep -qF "\"real\":\"$here/$name\"" || { echo "no open of $name"; bad=1; }
	done
	for real in "$(readlink -f /usr/bin/env)" "$here/script"; do
		grep '"event":"exec"' fleeting.trace | grep -qF "\"real\":\"$real\"" || { echo "no exec of $real"; bad=1; }
	done
	return $bad
}
check "symlinks that are gone as soon as they were followed" fleeting

# What opens meant, as the target NAME says: really NAME DIR
really() {
	local name real line
	traced "$1" 0 "$T/$1" "$2" && grep -q '^real ' "$1.out" || return 1
	while read -r _ name real; do
		line="\"path\":\"$name\",\"real\":\"$real\""
		grep -F '"event":"open"' "$1.trace" | grep -qF "$line" || { echo "not in the trace: $line"; return 1; }
	done < <(grep '^real ' "$1.out")
}
# It tells of files, whatever they were called.
[ "$SB_BACKEND" = fanotify ] || check "links that become others, and files" really replaced "$(fresh replaced.d)"

# Those who look while the program waits; the others may look when names mean something else again.
case $SB_BACKEND in
notify | ptrace | combined) check "names mean what they mean then, whatever is renamed" really renames "$(fresh renames.d)" ;;
esac
