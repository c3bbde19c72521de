/* Who was born with a variable, and who is looked at to find out. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracer/proc.h"

#define TEXT "SIDEBUNDLE_UNIT_PROC"

static pid_t born(void)
{
	char *const argv[] = {"sleep", "60", NULL}, *const envp[] = {TEXT "=1", NULL};
	int told[2];
	char nothing;

	cr_assert(eq(int, pipe2(told, O_CLOEXEC), 0));
	pid_t pid = fork();
	if (pid == 0) {
		(void)execve("/bin/sleep", argv, envp);
		_exit(127);
	}
	(void)close(told[1]);
	cr_assert(eq(int, (int)read(told[0], &nothing, 1), 0)); /* it has exec'd */
	(void)close(told[0]);
	return pid;
}

static bool finds(const struct sb_proc_mark *since, pid_t pid)
{
	pid_t pids[8];
	size_t count = 0;

	sb_proc_add_born_with(TEXT "=1", since, pids, &count, 8);
	return count == 1 && pids[0] == pid;
}

Test(proc, who_began_after_a_moment)
{
	struct sb_proc_mark before, after;

	sb_proc_mark(&before);
	cr_expect(eq(int, before.pid, getpid()));
	cr_expect(ne(u64, before.births, 0));
	pid_t pid = born();
	cr_expect(finds(&before, pid));
	/* Nobody can have been given a lower number since: nobody is looked at. */
	after = before;
	after.pid = pid;
	cr_expect(not(finds(&after, pid)));
	/* But where it is not known how many there were, or where they may have come round. */
	after.births = 0;
	cr_expect(finds(&after, pid));
	after.births = 1;
	after.pid = 1 << 30;
	cr_expect(finds(&after, pid));
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}
