/*
 * Runs a command on a machine that grants less. For the tests.
 *
 *   lockdown no-ptrace|no-memory|no-userns|no-mount|no-killable|no-seccomp|no-pidfd... --
 * COMMAND...
 *
 * no-ptrace: as Yama's scope 2 does, and process_vm_* with it; no-memory: nor may /proc/PID/mem be
 * read, known by offsets that no file here has; no-userns: as a container engine's
 * default profile does; no-mount: as Ubuntu's rule for user namespaces; no-killable: as before
 * Linux 5.19, whose notifications signals interrupt; no-seccomp: a kernel or a profile without
 * seccomp(2); no-pidfd: as before Linux 5.3, without pidfds and what came after them.
 */
// libs: -lseccomp
#include <err.h>
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define WAIT_KILLABLE (1UL << 5) /* SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV */

static void refuse(scmp_filter_ctx ctx, int code, int call)
{
	if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(code), call, 0) < 0)
		errx(125, "add a rule");
}

static void refuse_flag(scmp_filter_ctx ctx, int call, unsigned long flag)
{
	if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), call, 1,
			     SCMP_A0(SCMP_CMP_MASKED_EQ, flag, flag)) < 0)
		errx(125, "add a rule");
}

/* Programs and their stacks lie where bit 46 or 47 is set; a negative offset is none of them. */
static void refuse_far(scmp_filter_ctx ctx, int call, unsigned argument)
{
	for (int bit = 46; bit < 48; bit++) {
		const struct scmp_arg_cmp far = {argument, SCMP_CMP_MASKED_EQ,
						 1ULL << 63 | 1ULL << bit, 1ULL << bit};

		if (seccomp_rule_add_array(ctx, SCMP_ACT_ERRNO(EPERM), call, 1, &far) < 0)
			errx(125, "add a rule");
	}
}

static void lock(scmp_filter_ctx ctx, const char *what)
{
	if (strcmp(what, "no-ptrace") == 0) {
		refuse(ctx, EPERM, SCMP_SYS(ptrace));
		refuse(ctx, EPERM, SCMP_SYS(process_vm_readv));
		refuse(ctx, EPERM, SCMP_SYS(process_vm_writev));
		refuse(ctx, EPERM, SCMP_SYS(pidfd_getfd));
	} else if (strcmp(what, "no-memory") == 0) {
		refuse_far(ctx, SCMP_SYS(pread64), 3);
		refuse_far(ctx, SCMP_SYS(preadv), 3);
		refuse_far(ctx, SCMP_SYS(preadv2), 3);
		refuse_far(ctx, SCMP_SYS(lseek), 1);
	} else if (strcmp(what, "no-userns") == 0) {
		refuse_flag(ctx, SCMP_SYS(unshare), CLONE_NEWUSER);
		refuse_flag(ctx, SCMP_SYS(clone), CLONE_NEWUSER);
		/* Its flags are in memory, out of the filter's reach; libc falls back to clone. */
		refuse(ctx, ENOSYS, SCMP_SYS(clone3));
	} else if (strcmp(what, "no-mount") == 0) {
		refuse(ctx, EACCES, SCMP_SYS(mount));
	} else if (strcmp(what, "no-killable") == 0) {
		if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(seccomp), 1,
				     SCMP_A1(SCMP_CMP_MASKED_EQ, WAIT_KILLABLE, WAIT_KILLABLE)) < 0)
			errx(125, "add a rule");
	} else if (strcmp(what, "no-seccomp") == 0) {
		refuse(ctx, ENOSYS, SCMP_SYS(seccomp));
		if (seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(prctl), 1,
				     SCMP_A0(SCMP_CMP_EQ, PR_SET_SECCOMP, 0)) < 0)
			errx(125, "add a rule");
	} else if (strcmp(what, "no-pidfd") == 0) {
		refuse(ctx, ENOSYS, SCMP_SYS(pidfd_open));
		refuse(ctx, ENOSYS, SCMP_SYS(clone3));
		refuse(ctx, ENOSYS, SCMP_SYS(close_range));
	} else {
		errx(125,
		     "'%s' is none of no-ptrace, no-memory, no-userns, no-mount, no-killable, "
		     "no-seccomp, no-pidfd",
		     what);
	}
}

int main(int argc, char **argv)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int i = 1;

	if (!ctx)
		errx(125, "make a filter");
	/* 32-bit programs run there as they do here: only what is named is refused. */
	if (seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW) < 0)
		errx(125, "leave other machines' programs alone");
	for (; i < argc && strcmp(argv[i], "--") != 0; i++)
		lock(ctx, argv[i]);
	if (i + 1 >= argc)
		errx(125, "usage: lockdown no-ptrace|no-memory|no-userns|no-mount|no-killable|"
			  "no-seccomp|no-pidfd... -- COMMAND...");
	if (seccomp_load(ctx) < 0)
		errx(125, "load the filter");
	seccomp_release(ctx);
	execvp(argv[i + 1], argv + i + 1);
	int code = errno == ENOENT ? 127 : 126;
	warn("%s", argv[i + 1]);
	return code;
}
