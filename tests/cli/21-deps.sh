# deps on real programs: the same libraries as the real linker tells of, on this machine and in others'
# roots; its formats and statuses; scripts, held against what the kernel and env(1) run.
# timeout: 300
. "$SB_TESTS/cli/lib.sh"

# Both end as sorted real paths; the linker itself is told of in too many ways, and left out.
linker_says() { sed -n 's/^\t[^ ]* => \(\/[^ ]*\) (0x.*/\1/p; s/^\t\(\/[^ ]*\) (0x.*/\1/p' | grep -v '/ld-linux'; }
we_say() { grep -v '\[config\|, variant\]' | sed -n 's/^ .* => \(\/[^ ]*\) \[.*/\1/p' | grep -v '/ld-linux'; }
real() { while read -r path; do realpath "$path"; done | sort -u; }

same_here() { # PROGRAM
	sidebundle deps "$1" | we_say | real >ours || return 1
	env -u LD_LIBRARY_PATH LD_TRACE_LOADED_OBJECTS=1 "$1" | linker_says | real >theirs
	[ -s theirs ] && diff -u theirs ours
}

here=0
for name in bash sh ls tar cat sort find xargs grep sed awk perl python3 git gcc ld as make gdb curl ssh openssl \
	sqlite3 cmake vim nano less strace bwrap gpg apt-get dpkg systemctl ip mount lsblk clang zstd; do
	program=$(command -v "$name") || continue
	program=$(realpath "$program")
	# A set-id program does not tell; a script loads nothing.
	[ ! -u "$program" ] && [ ! -g "$program" ] && [ "$(head -c 4 "$program" | tr -d '\177')" = ELF ] || continue
	here=$((here + 1))
	check "$name loads what ld.so says" same_here "$program"
done
check "there were enough programs to compare" [ "$here" -ge 20 ]

# Asks the root's own linker, inside the root; links are followed inside it, too.
same_there() { # ROOT PROGRAM
	sidebundle deps --trace-root "$SB_ROOTS/$1" "$2" | we_say | sort -u >ours || return 1
	as_other_machine "$1" "$SB_PREFIX" /prefix /lib64/ld-linux-x86-64.so.2 --list "$2" |
		linker_says | sort -u >theirs
	[ -s theirs ] && diff -u theirs ours
}

for root in trixie bullseye; do
	if ! has_root "$root" || [ "$(uname -m)" != x86_64 ]; then
		skip_check "$root" "the root of another machine: $root (make roots)"
		continue
	fi
	for program in bash ls tar perl apt-get dpkg gpgv sed grep find login sort mount; do
		[ -e "$SB_ROOTS/$root/usr/bin/$program" ] || program=/bin/$program
		case $program in /*) ;; *) program=/usr/bin/$program ;; esac
		[ -e "$SB_ROOTS/$root$program" ] || continue
		check "$root: $program loads what its ld.so says" same_there "$root" "$program"
	done
	sidebundle deps --trace-root "$SB_ROOTS/$root" --format paths /bin/sh >paths
	check "$root: paths are the root's" expect_status 0 test "$(grep -c "$SB_ROOTS" paths)" = 0
done

# --- the command line -------------------------------------------------------------------------------
check "no program is a usage error" expect_status 2 sidebundle deps
check "an unknown format is a usage error" expect_status 2 sidebundle deps --format xml /bin/sh
check "what is not there is one line" expect_match "^sidebundle: error: .*'?/none/x'?.*No such file" sidebundle deps /none/x
check "and exits 1" expect_status 1 sidebundle deps /none/x
check "nor is a bare name" expect_match "^sidebundle: error: no-such-name: no such program, neither here nor in PATH" \
	sidebundle deps no-such-name
check "a bare name is looked for in PATH" expect_match '^/.*/sh' sidebundle deps sh
printf '\177ELF\2\1\1' >damaged
check "a damaged program is one line" expect_match "^sidebundle: error: ./damaged: .*is a damaged ELF file" sidebundle deps ./damaged
check "and exits 1, too" expect_status 1 sidebundle deps ./damaged
check "a directory is no program" expect_match "is no program" sidebundle deps /tmp
echo text >text
check "data needs nothing" expect_output "$PWD/text" sidebundle deps --format paths text
sidebundle deps --format paths /bin/sh /bin/ls >paths
check "paths are sorted and unique" sort -uc paths
check "paths are real" bash -c 'while read -r p; do [ "$p" = "$(realpath "$p")" ] || exit 1; done <paths'
if command -v python3 >/dev/null; then
	sidebundle deps --format json /bin/sh >json
	check "json is JSON" python3 -c 'import json, sys
j = json.load(open("json"))
sys.exit(not (j["programs"][0]["path"] == "/bin/sh" and j["files"] and not j["missing"]
	and any(n["name"] == "libc.so.6" and n["real"] in j["files"] for n in j["needs"])))'
fi

# --- scripts: each prints its interpreter's arguments, so that the real thing can be asked -------------
mkdir bin bin2
export PATH=$PWD/bin:$PATH
cp "$(command -v printf || command -v /usr/bin/printf)" bin/say 2>/dev/null || cp /usr/bin/printf bin/say
# Runs a script, and sees that the program that ran is the one that deps names last.
script_runs() { # WANT SCRIPT
	local elf
	elf=$(sidebundle deps "$2" | sed -n 's/.* => \(\/[^ ]*\) \[script, path\]$/\1/p; s/^ *\(\/[^ ]*\) \[script, path\]$/\1/p' | tail -n 1)
	[ "$elf" = "$1" ] || { echo "deps says $elf, not $1"; sidebundle deps "$2"; return 1; }
}
make_script() { # NAME LINE
	printf '%s\n' "$2" >"$1"
	chmod 755 "$1"
}
make_script plain '#!/bin/sh -e'
make_script twice "#!$PWD/plain -x"
make_script env '#!/usr/bin/env say'
make_script envs "#!/usr/bin/env -S say [%s] 'a b' c\\_d"
make_script set "#!/usr/bin/env -S A=1 PATH=$PWD/bin2 other"
make_script gone '#!/no/such/interpreter'
make_script words '#!/usr/bin/env say more'
make_script bin2/other '#!/bin/sh'
check "an interpreter" script_runs /bin/sh ./plain
check "an interpreter that is a script" script_runs /bin/sh ./twice
check "env finds a command" script_runs "$PWD/bin/say" ./env
check "env -S splits" script_runs "$PWD/bin/say" ./envs
check "as the real env does" expect_match '^\[a b\]\[c\]\[d\]\[\./envs\]' ./envs
check "env with a PATH of its own" expect_match "other => $PWD/bin2/other " sidebundle deps ./set
check "a missing interpreter is missed" expect_status 1 sidebundle deps ./gone
check "and named" expect_match 'missing: /no/such/interpreter, wanted by' sidebundle deps ./gone
check "env takes its one argument whole" expect_match 'missing: say more, wanted by' sidebundle deps ./words
for i in 1 2 3 4 5 6; do make_script "chain$i" "#!$PWD/chain$((i - 1))"; done
make_script chain0 '#!/bin/true'
check "a chain of five" expect_status 0 sidebundle deps ./chain4
check "runs" expect_status 0 ./chain4
check "one of six" expect_status 1 sidebundle deps ./chain5
check "does not" bash -c '! ./chain5 2>/dev/null'
