# What the cases over every run mode share; source it after lib.sh. $SB_MODE is the mode.
#
#	mode_check NAME COMMAND...	as check; what tests/modes/blind/MODE lists may fail
#
# A line of that list: the check's name (fnmatch), a tab, why. Where such a check passes, a line of
# the run's table says that the list is longer than it needs to be.
export SIDEBUNDLE_RUN_MODE=$SB_MODE

_known() { # NAME: prints why it may fail
	local pattern why
	while IFS=$'\t' read -r pattern why; do
		# shellcheck disable=SC2053 # a pattern
		[[ $pattern != '#'* && $1 == $pattern ]] && echo "$why" && return 0
	done <"$SB_TESTS/modes/blind/$SB_MODE" 2>/dev/null
	return 1
}

mode_check() { # NAME COMMAND...
	local name=$1 why
	shift
	if ! why=$(_known "$name"); then
		check "$name" "$@"
	elif "$@"; then
		_result pass "$name"
		echo "table: $SB_CASE: '$name' passes: it may leave tests/modes/blind/$SB_MODE"
	else
		skip_check "$name" "$SB_MODE mode is known not to: $why"
	fi
}
