# Runs the unit tests, then the program. One line a test, a summary last.
out=${OUT:-out}
shelf=$out/shelf
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
report=$dir/report

note() { # NAME STATUS
	if [ "$2" -eq 0 ]; then echo "ok - $1"; else echo "not ok - $1"; fi >>"$report"
}

"$out/test_store" >"$report" || echo "not ok - unit tests ended with status $?" >>"$report"

"$shelf" "$dir/a" set color blue && [ "$("$shelf" "$dir/a" get color)" = blue ]
note "a value comes back from the file" $?

"$shelf" "$dir/a" set size.width 10 && "$shelf" "$dir/a" set size.height 20
"$shelf" "$dir/a" list >"$dir/got"
printf 'color = blue\n[size]\nheight = 20\nwidth = 10\n' | cmp -s - "$dir/got"
note "the list is sorted and in sections" $?

"$shelf" "$dir/a" remove color && ! "$shelf" "$dir/a" get color
note "a value can be removed" $?

[ ! -e "$dir/a.part" ]
note "no temporary file stays" $?

echo 'not a pair' >"$dir/bad"
"$shelf" "$dir/bad" list 2>&1 | grep -q ':1: not understood'
note "a bad line is named" $?

"$shelf" "$dir" list 2>/dev/null
[ $? -eq 1 ]
note "a directory is no shelf" $?

"$shelf" 2>/dev/null
[ $? -eq 2 ]
note "no arguments is a usage error" $?

cat "$report"
passed=$(grep -c '^ok' "$report")
failed=$(grep -c '^not ok' "$report")
echo "shelf: $passed passed, $failed failed"
[ "$failed" -eq 0 ]
