#include "tracer/apart.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"

/* SIGCHLD tells when to look; this is for the one that comes too early. */
#define LOOK_SECONDS 0.1

#define RESULT_MOST 256
#define OLD_FDS	    4096u

struct report {
	int rc;
	bool stays; /* the watcher, for others */
	struct sb_err err;
	char result[RESULT_MOST];
};

/* No more than a pipe takes at once, whole. */
_Static_assert(sizeof(struct report) <= 4096, "a report is one write");

static void close_between(unsigned first, unsigned last)
{
	if (first > last || syscall(SYS_close_range, first, last, 0) == 0)
		return;
	/* Before Linux 5.9. */
	for (unsigned fd = first; fd <= last && fd < OLD_FDS; fd++)
		close((int)fd);
}

/* Nobody shall wait for us: not for the end of a pipe, nor a terminal for its last process. */
static void let_go(int report)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO && null >= 0; fd++)
		(void)dup2(null, fd);
	close_between(STDERR_FILENO + 1, (unsigned)report - 1);
	close_between((unsigned)report + 1, ~0u);
	(void)setsid(); /* we lead no group: whoever forked us does, or the shell's job */
	(void)!chdir("/");
}

static _Noreturn void be_watcher(int (*body)(void *, struct sb_afterlife *, struct sb_err *),
				 void *arg, const void *result, size_t size, int to)
{
	struct sb_afterlife after = {0};
	struct report report = {.err = SB_ERR_INIT};
	pid_t caller = getppid();

	report.rc = body(arg, &after, &report.err);
	memcpy(report.result, result, size);
	report.stays = after.serve != NULL;
	if (after.serve)
		let_go(to);
	(void)!write(to, &report, sizeof report); /* it was killed: then nobody asks */
	close(to);
	if (getppid() == caller)
		(void)kill(caller, SIGCHLD);
	if (after.serve)
		after.serve(after.state);
	_exit(0);
}

/* 1: there is a report; 0: not yet; -1: there will be none. */
static int look(int from, struct report *ret)
{
	struct pollfd fd = {.fd = from, .events = POLLIN};

	if (poll(&fd, 1, 0) <= 0)
		return 0;
	return read(from, ret, sizeof *ret) == (ssize_t)sizeof *ret ? 1 : -1;
}

int sb_run_apart(int (*body)(void *arg, struct sb_afterlife *after, struct sb_err *err), void *arg,
		 void *result, size_t size, struct sb_child *child, struct sb_err *err)
{
	struct report report;
	int pipes[2], status, got = 0;

	if (size > RESULT_MOST)
		return sb_fail(err, EINVAL, "start the watcher");
	if (pipe2(pipes, O_CLOEXEC) < 0)
		return sb_fail(err, errno, "start the watcher");
	auto_fd int from = pipes[0];
	auto_fd int to = pipes[1];
	pid_t pid = fork();
	if (pid < 0)
		return sb_fail(err, errno, "start the watcher");
	if (pid == 0) {
		close(sb_steal_fd(&from));
		be_watcher(body, arg, result, size, sb_steal_fd(&to));
	}
	close(sb_steal_fd(&to));
	child->pid = pid;
	while (got == 0) {
		bool ended = sb_child_wait(child, LOOK_SECONDS, &status) > 0;

		got = look(from, &report);
		if (ended && got == 0)
			got = -1;
	}
	/* What it used, and the command with it, is ours to account for. */
	if (child->pid && got > 0 && !report.stays)
		(void)waitpid(pid, NULL, 0);
	child->pid = 0;
	if (got < 0) {
		(void)sb_fail(err, SB_ESAID, "the watcher was killed, and what it watched with it");
		return -EOWNERDEAD;
	}
	memcpy(result, report.result, size);
	if (report.rc < 0)
		*err = report.err;
	return report.rc;
}
