#include "common/probe.h"

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fork.h"
#include "common/namespace.h"

static int wait_for(pid_t pid)
{
	int status = -1;

	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	return status;
}

int sb_probe_child(int (*fn)(void *arg, struct sb_err *err), void *arg, struct sb_err *err)
{
	int ends[2];

	if (pipe(ends) < 0)
		return sb_fail(err, errno, "make a pipe");
	pid_t pid = sb_fork_silent();
	if (pid == 0) {
		struct sb_err why = SB_ERR_INIT;

		close(ends[0]);
		if (fn(arg, &why) == 0)
			_exit(0);
		/* A line that is cut short by a full pipe still tells enough. */
		(void)!write(ends[1], &why, sizeof why);
		_exit(1);
	}
	close(ends[1]);
	auto_fd int reader = ends[0];
	if (pid < 0)
		return sb_fail(err, errno, "fork");
	struct sb_err why = SB_ERR_INIT;
	ssize_t n = read(reader, &why, sizeof why);
	int status = wait_for(pid);
	if (n == 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (n != (ssize_t)sizeof why)
		return sb_fail(err, SB_ESAID, "the probe ended early");
	*err = why;
	return -err->code;
}

static int enter(void *arg, struct sb_err *err)
{
	struct sb_rights rights;

	(void)arg;
	return sb_namespaces_enter(false, &rights, err);
}

int sb_probe_namespace(struct sb_err *err)
{
	return sb_probe_child(enter, NULL, err);
}

static int change_root(void *arg, struct sb_err *err)
{
	(void)arg;
	return sb_chroot_try(err);
}

int sb_probe_chroot(struct sb_err *err)
{
	return sb_probe_child(change_root, NULL, err);
}

int sb_probe_memory(struct sb_err *err)
{
	/* A child has what we have, at the same place. */
	static volatile uint32_t mark;
	uint32_t copy = 0;
	struct iovec local = {&copy, sizeof copy}, remote = {(void *)(uintptr_t)&mark, sizeof mark};

	mark = 0x5b5b5b5b;
	pid_t pid = sb_fork_silent();
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* nobody else would end it */
		for (;;)
			pause();
	}
	if (pid < 0)
		return sb_fail(err, errno, "fork");
	ssize_t n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
	int code = errno;
	(void)kill(pid, SIGKILL);
	(void)wait_for(pid);
	if (n < 0)
		return sb_fail(err, code, "read the memory of a child (process_vm_readv)");
	return n == (ssize_t)sizeof copy && copy == mark
		       ? 0
		       : sb_fail(err, SB_ESAID, "a child's memory reads as something else");
}
