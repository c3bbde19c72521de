# Host mode on the other machine, whose programs qemu-user runs: the start in a program's place maps it
# and its linker, and answers its libc. What qemu shows of a process that is its own and not the guest's
# (the process's name, children that are started by their path) is for a machine of aarch64.
# timeout: 120
. "$SB_TESTS/cli/lib.sh"
[ "$(uname -m)" = x86_64 ] || skip "a machine of x86_64, to run the other one's programs on"
need aarch64-linux-gnu-gcc qemu-aarch64-static
[ -e "$SB_PREFIX/libexec/sidebundle/start-aarch64" ] || skip "a start for aarch64 (make, with aarch64-linux-gnu-gcc)"
libc=/usr/aarch64-linux-gnu
[ -e $libc/lib/libc.so.6 ] && [ -e $libc/include/stdio.h ] || skip "a libc for aarch64, and its headers: $libc"

# A machine of its own, which has what this one lacks.
root=$PWD/root
mkdir -p root/lib/aarch64-linux-gnu root/bin root/sb-data/sub b
cp $libc/lib/ld-linux-aarch64.so.1 root/lib/
cp $libc/lib/libc.so.6 root/lib/aarch64-linux-gnu/
echo 'of the payload' >root/sb-data/word
ln -s word root/sb-data/link
build() { # NAME SOURCE...
	local name=$1
	shift
	aarch64-linux-gnu-gcc -D_GNU_SOURCE -I"$SB_TESTS/.." -std=gnu11 -O1 -o "root/bin/$name" "$@"
}
create() { # NAME
	sidebundle create --out-dir b --force --run-mode host --name "$1" --trace-root "$root" \
		--from-host "/bin/$1" --include '/sb-data/*' >/dev/null
}
started() { # NAME ARG...
	local name=$1
	shift
	qemu-aarch64-static ${page:+-p "$page"} "b/$name/libexec/host/root/bin/$name" "$@"
}

cat >looks.c <<'C'
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	char buf[4096] = "";
	struct stat st;
	ssize_t n = readlink("/proc/self/exe", buf, sizeof buf - 1);
	FILE *f;
	DIR *d;
	int names = 0;

	printf("exe %.*s\nexecfn %s\n", (int)(n < 0 ? 0 : n), buf, (char *)getauxval(AT_EXECFN));
	f = fopen("/sb-data/link", "r");
	printf("fopen %s", f && fgets(buf, sizeof buf, f) ? buf : "nothing\n");
	printf("stat %d\n", stat("/sb-data/sub/../word", &st));
	printf("access to write %s\n", access("/sb-data/word", W_OK) ? strerror(errno) : "granted");
	n = readlink("/sb-data/link", buf, sizeof buf);
	printf("readlink %.*s\n", (int)(n < 0 ? 0 : n), buf);
	for (d = opendir("/sb-data"); d && readdir(d);)
		names++;
	printf("names %d\n", names);
	printf("chdir %d\n", chdir("/sb-data/sub"));
	printf("getcwd %s\n", getcwd(buf, sizeof buf));
	printf("relative %d\n", open("../word", O_RDONLY) >= 0);
	printf("absent %s\n", open("/sb-data/none", O_RDONLY) < 0 ? strerror(errno) : "there");
	printf("of no memory %s\n", open((char *)8, O_RDONLY) < 0 ? strerror(errno) : "there");
	printf("asked about %d\n", munmap(mmap(NULL, 1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 1));
	return argc > 1 ? strlen(argv[1]) : 99;
}
C
looked='exe /bin/looks
execfn /bin/looks
fopen of the payload
stat 0
access to write Read-only file system
readlink word
names 5
chdir 0
getcwd /sb-data/sub
relative 1
absent No such file or directory
of no memory Bad address
asked about 0'
looks() {
	local status=0
	started looks seven77 || status=$?
	[ $status -eq 7 ]
}
check "build a program that looks around" build looks looks.c
check "create takes the start of its machine" expect_status 0 create looks
check "and tells of no program that it cannot start so" expect_match '^ *1 started in their own place' sidebundle inspect b/looks
check "it finds what the payload has, and is itself" expect_output "$looked" looks
for page in 16384 65536; do
	check "with pages of $page bytes, too" expect_output "$looked" looks
done
page=
check "verify knows the start and the rewritten libraries" expect_status 0 sidebundle verify b/looks
rm -rf "b/looks/payload/lib/aarch64-linux-gnu" "b/looks/libexec/host/root/lib/aarch64-linux-gnu"
check "a library comes from the bundle alone" expect_match 'libc.so.6: cannot open' started looks

check "build one that is at a fixed place" build fixed -no-pie -x c - <<<'int main(void) { return 5; }'
check "and its bundle" expect_status 0 create fixed
check "it starts" expect_status 5 started fixed

# Each gate is entered as rewritten code does: what the kernel keeps is kept.
cat >keeps.S <<'S'
	.globl enter
enter:	// x0: gate, x1: 32 words to load and store
	stp x29, x30, [sp, #-112]!
	stp x19, x20, [sp, #16]
	stp x21, x22, [sp, #32]
	stp x23, x24, [sp, #48]
	stp x25, x26, [sp, #64]
	stp x27, x28, [sp, #80]
	str x1, [sp, #96]
	mov x16, x0
	mov x30, x1
	ldr x0, [x30, #248]
	msr nzcv, x0
	ldp x0, x1, [x30]
	ldp x2, x3, [x30, #16]
	ldp x4, x5, [x30, #32]
	ldp x6, x7, [x30, #48]
	ldp x8, x9, [x30, #64]
	ldp x10, x11, [x30, #80]
	ldp x12, x13, [x30, #96]
	ldp x14, x15, [x30, #112]
	ldp x17, x18, [x30, #136]
	ldp x19, x20, [x30, #152]
	ldp x21, x22, [x30, #168]
	ldp x23, x24, [x30, #184]
	ldp x25, x26, [x30, #200]
	ldp x27, x28, [x30, #216]
	ldr x29, [x30, #232]
	blr x16
	ldr x30, [sp, #96]
	stp x0, x1, [x30]
	mrs x0, nzcv
	str x0, [x30, #248]
	stp x2, x3, [x30, #16]
	stp x4, x5, [x30, #32]
	stp x6, x7, [x30, #48]
	stp x8, x9, [x30, #64]
	stp x10, x11, [x30, #80]
	stp x12, x13, [x30, #96]
	stp x14, x15, [x30, #112]
	stp x16, x17, [x30, #128]
	str x18, [x30, #144]
	stp x19, x20, [x30, #152]
	stp x21, x22, [x30, #168]
	stp x23, x24, [x30, #184]
	stp x25, x26, [x30, #200]
	stp x27, x28, [x30, #216]
	str x29, [x30, #232]
	ldp x19, x20, [sp, #16]
	ldp x21, x22, [sp, #32]
	ldp x23, x24, [sp, #48]
	ldp x25, x26, [sp, #64]
	ldp x27, x28, [sp, #80]
	ldp x29, x30, [sp], #112
	ret
	.section .note.GNU-stack, "", %progbits
S
cat >keeps.c <<'C'
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#define FLAGS 0xa0000000 /* N and C */
void enter(uintptr_t gate, uint64_t *registers);

/* How many that should be kept are not; the results to *ret_x0 and *ret_x16. */
static int lost(uintptr_t gate, long nr, uint64_t a, uint64_t b, long *ret_x0, uint64_t *ret_x16)
{
	uint64_t before[32], after[32];
	int n = 0;

	for (int i = 0; i < 32; i++)
		before[i] = 0x1111111100000000u + (unsigned)i;
	before[0] = a;
	before[1] = b;
	before[2] = before[3] = before[4] = before[5] = 0;
	before[8] = 0xabcd00000000u | (uint64_t)nr; /* only the lower half is a number */
	before[31] = FLAGS;
	memcpy(after, before, sizeof after);
	enter(gate, after);
	*ret_x0 = (long)after[0];
	*ret_x16 = after[16];
	for (int i = 1; i < 32; i++)
		n += i != 16 && i != 30 && after[i] != before[i];
	return n;
}

int main(int argc, char **argv)
{
	uintptr_t gates = strtoul(argv[1], NULL, 16);
	uint64_t asked, here = (uint64_t)AT_FDCWD;
	long rc;
	int n;

	for (int gate = 1; gate <= 4 && argc == 2; gate++) {
		n = lost(gates + 16 * gate, SYS_openat, here, (uint64_t) "/sb-data/word", &rc, &asked);
		printf("%d: a file of the payload: lost %d, made %d, opened %d\n", gate, n, asked != 0, rc > 2);
		n = lost(gates + 16 * gate, SYS_openat, here, 8, &rc, &asked);
		printf("%d: no memory: lost %d, %s\n", gate, n, rc == -14 ? "made" : asked ? "odd" : "to be made");
		n = lost(gates + 16 * gate, SYS_getppid, 0, 0, &rc, &asked);
		printf("%d: no path: lost %d, %s\n", gate, n, rc > 0 ? "made" : asked ? "odd" : "to be made");
		n = lost(gates + 16 * gate, 4000, 0, 0, &rc, &asked);
		printf("%d: no number: lost %d, %s\n", gate, n, rc == -38 ? "made" : asked ? "odd" : "to be made");
	}
	return 0;
}
C
check "build a program that enters gates" build keeps keeps.c keeps.S
check "and its bundle" expect_status 0 create keeps
gates=$(readelf -h b/keeps/libexec/host/start | sed -n 's/.*Entry point address: *//p')
kept=$(for gate in 1 2 3 4; do
	how=made
	[ $gate -lt 3 ] || how='to be made'
	echo "$gate: a file of the payload: lost 0, made 1, opened 1"
	for what in "no memory" "no path" "no number"; do echo "$gate: $what: lost 0, $how"; done
done)
check "a gate keeps what the kernel keeps" expect_output "$kept" started keeps "$gates"

# Everything that a program may ask: as without the start.
check "build a program that calls everything" build every_call "$SB_TESTS/targets/every_call.c" \
	"$SB_TESTS"/targets/every_call/*.c -lpthread
check "and its bundle" expect_status 0 create every_call
mkdir in
check "it runs" expect_status 0 qemu-aarch64-static -L $libc root/bin/every_call "$PWD/in" 2>alone.err >/dev/null
rm -r in && mkdir in
check "it runs by the start" expect_status 0 started every_call "$PWD/in" 2>started.err >/dev/null
check "and all comes to the same" diff alone.err started.err

skip_check "the process's name, and children that are started by their path" "a machine of aarch64: qemu's are its own"
