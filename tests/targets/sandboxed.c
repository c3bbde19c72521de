/*
 * sandboxed prctl|seccomp|syscall DIR: puts itself under a seccomp filter that kills it for every
 * call that this program does not make itself, moves to DIR, then opens more than the log's piece
 * at hand has room for. A tracer that makes one call of its own has killed it.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "tests/targets/expect.h"

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#else
#define ARCH AUDIT_ARCH_AARCH64
#endif

#define FIELD(name) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, name))
#define VERDICT(v)  BPF_STMT(BPF_RET | BPF_K, v)
#define ALLOW(nr)   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1), VERDICT(SECCOMP_RET_ALLOW)

static struct sock_filter filter[] = {
	FIELD(arch),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCH, 1, 0),
	VERDICT(SECCOMP_RET_KILL_PROCESS),
	FIELD(nr),
	ALLOW(SYS_openat),
#ifdef SYS_open
	ALLOW(SYS_open),
#endif
	ALLOW(SYS_close),
	ALLOW(SYS_chdir),
	ALLOW(SYS_write),
	ALLOW(SYS_exit_group),
	VERDICT(SECCOMP_RET_KILL_PROCESS),
};

int main(int argc, char **argv)
{
	struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};
	char name[256];
	int bad;

	if (argc != 3)
		return 2;
	open_expecting(missing_name(name, argv[2], "before", 0), ENOENT);
	for (unsigned long i = 0; i < 3000; i++)
		expect("open", ENOENT, missing_name(name, argv[2], "under", i));
	expect("stat", 0, argv[2]);
	expect("open", ENOENT, missing_name(name, argv[2], "under-moved", 0));
	const char *moved = name + strlen(argv[2]) + 1;
	char relative[256];

	strcpy(relative, moved);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		fail("prctl", "PR_SET_NO_NEW_PRIVS");
	if (!strcmp(argv[1], "prctl"))
		bad = prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0);
	else
		bad = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program);
	if (bad)
		fail("filter", argv[1]);
	/* Where it stands then cannot be asked. */
	if (chdir(argv[2]) || open(relative, O_RDONLY) != -1 || errno != ENOENT)
		_exit(5);
	for (unsigned long i = 0; i < 3000; i++) {
		missing_name(name, argv[2], "under", i);
		if (open(name, O_RDONLY) != -1 || errno != ENOENT)
			_exit(3);
	}
	if (openat(1, "relative", O_RDONLY) != -1 || errno != ENOTDIR)
		_exit(4);
	write(1, "alive\n", 6);
	_exit(0);
}
