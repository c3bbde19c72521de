# A bash script by its own name, with pipes, here-documents, subshells and programs.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/subject.sh"
prepare() {
	cat >script <<-'END'
		#!/bin/bash
		set -eu
		declare -A count=()
		while read -r word; do count[$word]=$((${count[$word]:-0} + 1)); done < <(tr ' ' '\n' <words)
		for word in "${!count[@]}"; do echo "$word ${count[$word]}"; done | sort
		cat <<<"in $(basename "$PWD") with $# arguments: ${*@Q}"
		seq 3 | sed 's/^/line /' | tee written >&2
		[ "$(wc -l <written)" -eq 3 ]
		exit 7
	END
	chmod +x script
	echo 'a b a c b a' >words
}
subject ./script one 'two words' ''
