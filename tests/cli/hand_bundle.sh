# Bundles made by hand, for the cases about the launcher: it is tested before, and apart from, create.
#
#	new_bundle DIR MODE        starts one; then, for it:
#	plan KEY VALUE...          pairs of the launch plan (bundler/plan.h)
#	payload FILE [PATH]        a file of this machine, at its own real path or at PATH
#	entry NAME PROGRAM         starts an entry that runs PROGRAM, a program of this machine
#	entry_with_libs NAME PROGRAM  the same with all its libraries
#	end_bundle                 finishes the plan
# shellcheck disable=SC2034 # for the cases
launcher=$SB_PREFIX/libexec/sidebundle/launcher
box=$(command -v busybox) || skip "busybox is missing"
box=$(realpath "$box")

plan() {
	local word
	for word; do printf '%s\0' "$word"; done >>"$bundle/libexec/plan"
}

new_bundle() { # DIR MODE
	bundle=$1
	mkdir -p "$bundle"/{bin,libexec,payload}
	cp "$launcher" "$bundle/.launcher"
	plan sidebundle-plan 1 mode "$2"
}

payload() { # FILE [PATH]
	local path=${2:-$(realpath "$1")}
	mkdir -p "$bundle/payload/${path%/*}"
	cp -L "$1" "$bundle/payload/$path"
}

entry() { # NAME PROGRAM
	ln "$bundle/.launcher" "$bundle/bin/$1"
	payload "$2"
	plan entry "$1" exec "$(realpath "$2")"
}

entry_with_libs() { # NAME PROGRAM
	local line lib dirs=
	entry "$1" "$2"
	while read -r line; do
		lib=${line#*=> }
		lib=${lib%% (*}
		[ -e "$lib" ] || continue
		payload "$lib" "$lib"
		case $line in
		*'=>'*) dirs+="${lib%/*}"$'\n' ;;
		*) plan interp "$lib" ;;
		esac
	done < <(ldd "$2")
	for lib in $(sort -u <<<"$dirs"); do plan lib "$lib"; done
}

end_bundle() {
	plan end ''
	rm "$bundle/.launcher"
}

# Nothing of ours is in any of the places for temporary files; the reaper may need a moment.
nothing_left() {
	local try
	for try in {1..100}; do
		[ -z "$(find "$TMPDIR" "${XDG_CACHE_HOME:-$HOME/.cache}" -maxdepth 1 -name 'sidebundle.*' 2>/dev/null)" ] &&
			return 0
		sleep 0.05
	done
	find "$TMPDIR" "${XDG_CACHE_HOME:-$HOME/.cache}" -name 'sidebundle.*'
	return 1
}
