# Containers: `podman run` traced, and what works within podman's default profile, as doctor says there.
# Without root: in a user namespace of one id, with a cgroup file system and a /run of its own.
# slow
# right: sys_admin
# timeout: 400
# not sanitized: it traces sidebundle itself, which is to be a program like others
# shellcheck disable=SC2154 # of podman.sh
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/locked.sh"
need userns podman busybox

. "$SB_TESTS/cli/podman.sh"
mkdir -p image/bin image/etc image/proc image/sys image/dev image/tmp image/run
cp "$(command -v busybox)" image/bin/busybox
for name in sh cat; do ln -s busybox image/bin/$name; done
echo data >image/data
cp /etc/passwd /etc/group image/etc/

import_box cat /data

# --- the engine, traced ------------------------------------------------------------------------------
complete() { tail -n 1 "$1" | grep -q '^{"end":true,.*"lost":0,'; }
contained() { # BACKEND
	pod sidebundle trace -b "$1" -o t -- "${run[@]}" localhost/box cat /data >out 2>err &&
		grep -qx data out && complete t || { cat out err; return 1; }
	# The engine is a Go program, which makes its own system calls and gives what it starts another environment.
	[ "$1" = audit ] || sidebundle show t --format paths | grep -q "^$PWD/store/.*/data\$" || return 1
	# Nobody there wanted to trace.
	! tail -n 1 t | grep '"why":"debugger"'
}
while read -r backend works _; do
	if [ "$works" = yes ]; then
		check "podman run, under $backend" contained "$backend"
	else
		skip_check "podman run, under $backend" "$backend does not work here"
	fi
done < <(sidebundle doctor | awk '/ HERE / { table++; next } table == 1 && ($2 == "yes" || $2 == "no")')

# shellcheck disable=SC2034 # by as_told
loses_words=1
# --- within the default profile ----------------------------------------------------------------------
sidebundle create --from-host "$(command -v cat)" --out-dir . >create.log 2>&1 || { cat create.log; exit 1; }
volumes=()
for dir in /usr /bin /sbin /lib /lib64 /lib32; do
	[ -d "$dir" ] && volumes+=(-v "$(realpath "$dir"):$dir:ro")
done
on() { # WHAT COMMAND...: in a container; WHAT are podman's options
	local what=$1
	shift
	# shellcheck disable=SC2086 # several words
	pod -- "${run[@]}" $what "${volumes[@]}" -v "$SB_PREFIX:$SB_PREFIX:ro" -v "$PWD:$PWD" -w "$PWD" \
		-e PATH -e HOME -e LC_ALL -e TMPDIR="$PWD" localhost/box "$@"
}
for what in "" "--cap-drop=all" "--cap-add=SYS_PTRACE" "--security-opt seccomp=unconfined" "--privileged"; do
	name=${what:-default profile}
	check "$name: doctor is right" doctor_is_right "$what"
	check "$name: auto takes what doctor says" auto_is_told "$what"
	check "$name: what needs nothing works" expect_output "audit yes host yes" \
		echo "$(doctor_says "$what" 1 | grep '^audit ')" "$(doctor_says "$what" 2 | grep '^host ')"
	echo "table: $name: $(doctor_says "$what" 1 | tr '\n' ',') $(doctor_says "$what" 2 | tr '\n' ',')"
done
