# For cases that take one program the whole way: traced, bundled, moved, read-only, run elsewhere.
#
#	. "$SB_TESTS/cli/lib.sh"
#	. "$SB_TESTS/cli/subject.sh"
#	prepare() { echo hello >input; }     # fills the empty directory that the command runs in
#	subject COMMAND...                   # the checks
#
# `subject` may come several times; each starts from a directory that `prepare` has filled anew, so
# that a command which writes finds the same every time. Afterwards the bundle is $bundle.
prepare() { :; }
_subjects=0

_fresh() {
	chmod -R u+w "$SB_WORK/project" 2>/dev/null
	rm -rf "$SB_WORK/project"
	mkdir "$SB_WORK/project" && cd "$SB_WORK/project" && prepare
}

_as_here() { # WHAT: the run that $dir/WHAT.* tells of is that of $dir/here.*
	_same_captures "$dir/here" "$dir/$1" "$1"
}

_run_as() { # WHAT COMMAND...: runs it in a fresh directory, and holds it to the original
	local what=$1
	shift
	_fresh
	_capture "$dir/$what" "$@"
	_as_here "$what"
}

_make_bundle() {
	sidebundle create --from-trace "$dir/trace" --name b --out-dir "$dir/out" >"$dir/create.log" 2>&1 ||
		{ cat "$dir/create.log"; return 1; }
	mkdir "$dir/moved" && mv "$dir/out/b" "$dir/moved/elsewhere" && chmod -R a-w "$dir/moved/elsewhere" &&
		sidebundle verify "$dir/moved/elsewhere"
}

# The entry on another machine, which need not have an env(1) of its own.
_there() { # MODE ROOT
	SIDEBUNDLE_RUN_MODE=$1 as_other_machine "$2" "$bundle" /bundle "/bundle/bin/$label"
}

subject() { # COMMAND...
	local label dir root
	label=${1##*/} dir=$SB_WORK/subject$((_subjects += 1))
	mkdir "$dir"
	_fresh
	_capture "$dir/here" "$@"
	[ -s "$dir/here.out" ] || [ -s "$dir/here.err" ] || echo "warning: the original prints nothing"

	check "$label: traced, it behaves as before" \
		_run_as traced sidebundle trace -b audit -o "$dir/trace" -- "$@"
	[ -s "$dir/trace" ] || return 1
	check "$label: bundled and verified" _make_bundle
	bundle=$dir/moved/elsewhere entry=$bundle/bin/$label
	[ -x "$entry" ] || return 1
	if has_userns; then
		check "$label: moved, read-only, here" \
			_run_as namespace env SIDEBUNDLE_RUN_MODE=namespace "$entry"
		for root in bare trixie bullseye; do
			if has_root $root; then
				check "$label: in the $root root" _run_as $root _there namespace $root
			else
				skip_check "$label: in the $root root" "the root of another machine: $root"
			fi
		done
	else
		skip_check "$label: elsewhere" "user namespaces are refused here"
	fi
	_subject_host
}

_subject_host() {
	local root
	check "$label: in host mode, here" _run_as host env SIDEBUNDLE_RUN_MODE=host "$entry"
	for root in bare trixie bullseye; do
		has_root $root || continue
		check "$label: in host mode, in the $root root" _run_as host-$root _there host $root
	done
}
