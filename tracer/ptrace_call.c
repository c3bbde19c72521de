#include <elf.h>
#include <sys/uio.h>
#include <sys/user.h>

#include "tracer/ptrace_private.h"

static int call_info(pid_t tid, struct __ptrace_syscall_info *ret)
{
	long size = ptrace(PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof *ret, ret);

	return size < 0 ? -errno : 0;
}

int ptrace_entered(pid_t tid, struct sb_call *ret)
{
	struct __ptrace_syscall_info info;
	int rc = call_info(tid, &info);

	if (rc < 0)
		return rc;
	if (info.op != PTRACE_SYSCALL_INFO_SECCOMP)
		return -EINVAL;
	int abi = sb_syscall_abi(info.arch, (long)info.seccomp.nr);
	if (abi < 0)
		return -EINVAL;
	ret->abi = (enum sb_abi)abi;
	ret->nr = (long)info.seccomp.nr;
	for (int i = 0; i < 6; i++)
		ret->args[i] = info.seccomp.args[i];
	return 0;
}

int ptrace_left(pid_t tid, long *ret)
{
	struct __ptrace_syscall_info info;
	int rc = call_info(tid, &info);

	if (rc < 0)
		return rc;
	if (info.op != PTRACE_SYSCALL_INFO_EXIT)
		return 0;
	*ret = (long)info.exit.rval;
	return 1;
}

/* No call has the number -1: the kernel leaves the result as it finds it. */
#if defined __x86_64__
int ptrace_refuse(pid_t tid, int code)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return -errno;
	regs.orig_rax = ~0ull;
	regs.rax = (unsigned long long)-(long long)code;
	return ptrace(PTRACE_SETREGS, tid, NULL, &regs) < 0 ? -errno : 0;
}

int ptrace_change(pid_t tid, enum sb_abi abi, uint64_t first)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return -errno;
	if (abi == SB_ABI_I386)
		regs.rbx = first;
	else
		regs.rdi = first;
	return ptrace(PTRACE_SETREGS, tid, NULL, &regs) < 0 ? -errno : 0;
}
#elif defined __aarch64__
static int get_registers(pid_t tid, struct user_regs_struct *ret)
{
	struct iovec all = {ret, sizeof *ret};

	return ptrace(PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &all) < 0 ? -errno : 0;
}

static int set_registers(pid_t tid, struct user_regs_struct *regs)
{
	struct iovec all = {regs, sizeof *regs};

	return ptrace(PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &all) < 0 ? -errno : 0;
}

int ptrace_refuse(pid_t tid, int code)
{
	struct user_regs_struct regs;
	int none = -1, rc = get_registers(tid, &regs);
	struct iovec number = {&none, sizeof none};

	if (rc < 0)
		return rc;
	regs.regs[0] = (unsigned long long)-(long long)code;
	rc = set_registers(tid, &regs);
	if (rc == 0 && ptrace(PTRACE_SETREGSET, tid, (void *)NT_ARM_SYSTEM_CALL, &number) < 0)
		rc = -errno;
	return rc;
}

int ptrace_change(pid_t tid, enum sb_abi abi, uint64_t first)
{
	struct user_regs_struct regs;
	int rc = get_registers(tid, &regs);

	(void)abi; /* there is one */
	if (rc < 0)
		return rc;
	regs.regs[0] = first;
	return set_registers(tid, &regs);
}
#endif
