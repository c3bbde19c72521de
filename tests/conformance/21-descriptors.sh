# Descriptors, limits, and all else that a process can see of itself.
. "$SB_TESTS/cli/lib.sh"
. "$SB_TESTS/cli/torture.sh"
d=$(fresh d)

for how in closefrom close_range loop dup2; do
	check "descriptors: $how" traced "fd-$how" 0 "$T/descriptors" $how "$d"
done
for what in as fsize nofile no-descriptor stack nproc; do
	# Under RLIMIT_FSIZE only a pipe can be written to.
	check "limit: $what" traced "limit-$what" 0 \
		bash -c 'set -o pipefail; "$@" | cat' - "$T/limits" $what "$T/opens" "$d"
done

file=$d/file
: >"$file"
check "a process finds itself as it is untraced" same state "$T/state" "$file"
check "with signals ignored and blocked, and odd descriptors" same state-odd \
	bash -c 'trap "" USR1 PIPE; umask 027; exec 5<"$2" 9>&1; exec nice -n 3 "$1" "$2"' - "$T/state" "$file"
check "without stdin" same state-closed bash -c 'exec <&-; exec "$1" "$2"' - "$T/state" "$file"
check "with an odd environment" same state-env \
	env -i "A=" "=B" "C D=e f" LD_BIND_NOW=1 GLIBC_TUNABLES=glibc.malloc.check=0 "$T/state" "$file"
