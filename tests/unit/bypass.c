/* Calls by the bypass, and the filter that knows them. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/bypass.h"
#include "tracer/filter.h"
#include "tracer/wire.h"

Test(bypass, answers_as_the_kernel)
{
	long fd = sb_bypass(AT_FDCWD, (long)"/", O_RDONLY | O_DIRECTORY, 0, 0, SYS_openat);

	cr_assert(ge(long, fd, 0));
	cr_expect(eq(long, sb_bypass(fd, 0, 0, 0, 0, SYS_close), 0));
	cr_expect(eq(long, sb_bypass(fd, 0, 0, 0, 0, SYS_close), -EBADF));
	cr_expect(
		eq(long, sb_bypass(AT_FDCWD, (long)"/none", O_RDONLY, 0, 0, SYS_openat), -ENOENT));
}

/* What a call of the program's own would take along. */
Test(bypass, leaves_nothing_in_the_register)
{
	(void)sb_bypass(0, 0, 0, 0, 0, SYS_getppid);
#if defined(__x86_64__)
	register uint64_t sixth __asm__("r9");
#else
	register uint64_t sixth __asm__("x5");
#endif
	__asm__ volatile("" : "=r"(sixth));
	cr_expect(ne(u64, sixth, SB_PASS));
}

/* 77: no filter can be had; else 0, or what went wrong. */
static int pass(void)
{
	const struct sb_filter_spec spec = {.action = SECCOMP_RET_ERRNO | EXDEV, .let_pass = 1};
	static struct sb_filter filter;
	struct sb_err err = SB_ERR_INIT;

	if (sb_filter_make(&spec, &filter, &err) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter.prog) < 0)
		return 77;
	if (access("/", F_OK) == 0 || errno != EXDEV)
		return 1;
	if (sb_bypass(AT_FDCWD, (long)"/", F_OK, 0, 0, SYS_faccessat) != 0)
		return 2;
	/* From elsewhere the number alone does not pass. */
	if (syscall(SYS_faccessat, AT_FDCWD, "/", F_OK, 0, 0, SB_PASS) == 0 || errno != EXDEV)
		return 3;
	/* Within which root who is, is told of everybody. */
	return sb_bypass((long)"/", 0, 0, 0, 0, SYS_chroot) == -EXDEV ? 0 : 4;
}

Test(bypass, passes_the_filter)
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(pass());
	cr_assert(eq(int, waitpid(pid, &status, 0), pid));
	cr_assert(ne(int, WIFEXITED(status), 0));
	if (WEXITSTATUS(status) == 77)
		cr_skip_test("needs a seccomp filter");
	cr_assert(eq(int, WEXITSTATUS(status), 0));
}
