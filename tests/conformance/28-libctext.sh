# One module where libc's text can be replaced, both where it cannot: the same is seen.
# backends: audit hybrid
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
d=$(fresh d)

check "a trace of cat" sidebundle --log-level debug trace -b "$SB_BACKEND" -o t -- cat /proc/self/maps >maps 2>log
if why=$(sed -n "s/.*libc's text stays as it is: //p" log) && [ -n "$why" ]; then
	skip "a libc whose text can be replaced: $why"
fi
mapped() { # FILE, at the end of a line of `maps`
	grep -q "$1\$" "${2:-maps}"
}
lacks() { ! mapped "$@"; }
check "libc's text is the trace's" mapped "$TEXT"
check "and there is one module" lacks /sidebundle-preload.so
sidebundle trace -b "$SB_BACKEND" -o t -- "${WITHOUT_TEXT[@]}" cat /proc/self/maps >maps.two 2>log
check "without it there are two" mapped /sidebundle-preload.so maps.two
check "and no text" lacks "$TEXT.*" maps.two
case $(stat -f -c %T /var/tmp) in
ext2/ext3 | xfs | btrfs | overlayfs)
	check "it is on a disk" mapped '/var/tmp/sidebundle-libc-[^/]*'
	# shellcheck disable=SC2016 # for another shell
	sidebundle trace -b "$SB_BACKEND" -o t -- sh -c 'rm -f "$(sed -n "s,.* \(/var/tmp/sidebundle-libc-\),\1,p" /proc/self/maps)"
		cat /proc/self/maps' >maps.gone 2>log
	check "where it is gone it is in memory" mapped '/sidebundle-log-[^/]*/libc' maps.gone
	check "and there is one module all the same" lacks /sidebundle-preload.so maps.gone
	# shellcheck disable=SC2016 # for another shell
	sidebundle trace -b "$SB_BACKEND" -o t -- sh -c 'text=$(sed -n "s,.* \(/var/tmp/sidebundle-libc-\),\1,p" /proc/self/maps)
		cp "$text" copy.text; rm -f "$text"; cp copy.text "$text"; chmod 420 "$text"
		cat /proc/self/maps' >maps.other 2>log
	check "where others may have written to it, too" mapped '/sidebundle-log-[^/]*/libc' maps.other
	;;
*) skip_check "it is on a disk" "a /var/tmp on a disk" ;;
esac
# What begins again does so once for each program: the next one is begun with both.
begins() {
	sidebundle trace -b "$SB_BACKEND" -o t -- "${WITHOUT_TEXT[@]}" sh -c 'cat /dev/null; cat /dev/null' &&
		strace -f -qq -e trace=execve -o calls sidebundle trace -b "$SB_BACKEND" -o t -- \
			"${WITHOUT_TEXT[@]}" sh -c '/bin/cat /dev/null; /bin/cat /dev/null; :' &&
		[ "$(grep -c 'execve("/bin/cat"' calls)" -eq 3 ]
}
if command -v strace >/dev/null; then
	check "a program begins again once in a trace" begins
fi

for text in one two; do
	run=()
	[ $text = one ] || run=("${WITHOUT_TEXT[@]}")
	check "opens, $text" traced "opens.$text" 0 ${run[@]+"${run[@]}"} "$T/opens" /etc/passwd -2 "$d/none.$text"
	check "the user's own variables, $text" same "env.$text" ${run[@]+"${run[@]}"} \
		env LD_PRELOAD= A=b sh -c 'env | sort; tr "\0" "\n" </proc/self/environ | sort'
	check "a library of the user's, $text" same "own.$text" ${run[@]+"${run[@]}"} \
		env LD_PRELOAD=libm.so.6 sh -c 'env | grep ^LD_; grep -c libm.so /proc/self/maps'
done
