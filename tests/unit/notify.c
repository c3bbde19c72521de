/* The listener, the one who stands by, and the probe, over real processes. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracer/listener.h"
#include "tracer/notify.h"

static struct sb_filter filter;
static struct sb_child child;

struct heard {
	struct sb_notify *notify;
	pid_t pid;
	unsigned notices, execs, stale;
	bool opened; /* /etc/passwd */
};

static void set_up(void)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_filter_spec spec = {.action = SECCOMP_RET_USER_NOTIF, .refuse_uring = 1};

	if (sb_notify_probe("notify", &err) < 0)
		cr_skip_test("needs seccomp notification, and to read a child: %s", err.msg);
	cr_assert(eq(int, sb_filter_make(&spec, &filter, &err), 0));
	sb_child_prepare(&child);
}

static void tear_down(void)
{
	sb_child_restore(&child);
}

TestSuite(notify, .init = set_up, .fini = tear_down, .timeout = 30);

static int born(void *arg, pid_t pid, struct sb_err *err)
{
	struct heard *h = arg;

	cr_assert(eq(uint, h->notices, 0));
	h->pid = pid;
	(void)err;
	return 0;
}

static void serve(void *arg, const struct sb_notice *notice)
{
	struct heard *h = arg;
	struct sb_touches touches;

	h->notices++;
	if (sb_decode(notice->tid, &notice->call, &touches) == 0 && touches.count) {
		h->execs += touches.row->act == SB_ACT_EXEC;
		h->opened |= strcmp(touches.touch[0].path, "/etc/passwd") == 0;
	}
	sb_touches_free(&touches);
}

static void served(void *arg, const struct sb_notice *notice, bool valid)
{
	struct heard *h = arg;

	cr_assert(notice->id != 0);
	h->stale += !valid;
}

static int start(struct heard *h, const char *path, const char *script, struct sb_err *err)
{
	struct sb_notify_spec spec = {-1, &filter, born, serve, served, h};
	char *argv[] = {(char *)(uintptr_t)path, (char *)(uintptr_t) "-c",
			(char *)(uintptr_t)script, NULL};

	cr_assert(eq(int, sb_notify_new(&spec, &h->notify, err), 0));
	child.hooks = sb_notify_hooks(h->notify);
	return sb_child_start(&child, path, argv, environ, false, err);
}

static int wait_for_end(struct heard *h)
{
	int status = -1;

	while (!sb_child_wait(&child, 0, &status))
		(void)sb_notify_wait(h->notify, 0.05);
	return status;
}

Test(notify, every_call_is_heard_and_goes_on)
{
	struct heard h = {0};
	struct sb_err err = SB_ERR_INIT;

	cr_assert(eq(int, start(&h, "/bin/sh", "read line </etc/passwd; /bin/true; exit 7", &err),
		     0));
	cr_assert(eq(int, WEXITSTATUS(wait_for_end(&h)), 7));
	cr_assert(h.pid > 0);
	cr_assert(eq(uint, h.execs, 2));
	cr_assert(h.opened);
	cr_assert(eq(uint, h.stale, 0));
	cr_assert(sb_notify_deserted(h.notify));
	sb_notify_free(h.notify);
}

Test(notify, an_exec_that_fails_is_no_start)
{
	struct heard h = {0};
	struct sb_err err = SB_ERR_INIT;

	cr_assert(eq(int, start(&h, "/nowhere/at/all", "", &err), -ENOENT));
	cr_assert(eq(uint, h.execs, 1));
	sb_notify_free(h.notify);
}

Test(notify, a_call_of_one_who_was_killed_is_no_more)
{
	struct heard h = {0};
	struct sb_err err = SB_ERR_INIT;
	int status;

	cr_assert(eq(int, start(&h, "/bin/sh", "while :; do read l </etc/passwd; done", &err), 0));
	for (int i = 0; i < 200; i++)
		(void)sb_notify_wait(h.notify, 1);
	(void)kill(h.pid, SIGKILL);
	for (int i = 0; !sb_notify_deserted(h.notify) && i < 200; i++)
		(void)sb_notify_wait(h.notify, 0.05);
	cr_assert(sb_notify_deserted(h.notify));
	status = wait_for_end(&h);
	cr_assert(eq(int, WTERMSIG(status), SIGKILL));
	sb_notify_free(h.notify);
}

/* Ours ends right after the start, as if it were killed; what was started must not notice. */
static void run_and_leave(int out, bool politely)
{
	struct heard h = {0};
	struct sb_err err = SB_ERR_INIT;
	const char *script = "for i in 1 2 3; do sleep 0.1; read l </etc/passwd || exit; done; "
			     "echo whole >&9";

	/* A descriptor that a shell can name. */
	(void)dup2(out, 9);
	if (start(&h, "/bin/sh", script, &err) < 0)
		_exit(1);
	if (politely)
		sb_notify_free(h.notify);
	(void)kill(getpid(), SIGKILL);
}

static void outlives_us(bool politely)
{
	char said[16] = "";
	int ends[2];

	cr_assert(eq(int, pipe2(ends, O_CLOEXEC), 0));
	pid_t pid = fork();
	if (pid == 0)
		run_and_leave(ends[1], politely);
	close(ends[1]);
	(void)waitpid(pid, NULL, 0);
	/* Ends with the last of them: the one who stands by does not hold it. */
	cr_assert(read(ends[0], said, sizeof said - 1) == 6);
	cr_assert(eq(str, (char *)said, "whole\n"));
	cr_assert(read(ends[0], said, sizeof said - 1) == 0);
	close(ends[0]);
}

Test(notify, it_runs_on_when_we_are_killed)
{
	outlives_us(false);
}

Test(notify, it_runs_on_when_we_have_ended)
{
	outlives_us(true);
}

Test(notify, one_within_another_is_refused_with_a_word)
{
	struct sb_err err = SB_ERR_INIT;

	/* The probe itself is what the filter's command would run. */
	pid_t pid = fork();
	if (pid == 0) {
		struct sb_listener_flags flags;

		if (sb_listener_make(&filter.prog, &flags) < 0)
			_exit(2);
		_exit(sb_notify_probe("notify", &err) == -SB_ESAID &&
				      strstr(err.msg, "a trace within a trace")
			      ? 0
			      : 1);
	}
	int status;
	cr_assert(eq(int, waitpid(pid, &status, 0), pid));
	cr_assert(eq(int, status, 0));
}
