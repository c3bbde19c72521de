#include "tracer/guard.h"

#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"
#include "tracer/child.h"
#include "tracer/filter.h"
#include "tracer/notify.h"
#include "tracer/proc.h"
#include "tracer/syscalls.h"
#include "tracer/tend.h"

/* So many notices, and the command's state and our signals are looked at, however many there are.
 */
#define NOTICES_MOST 64
/* Nor is that left for longer once there is something to do. */
#define BUSY_SECONDS 0.01
#define SITE_PAGE    4096u

struct sb_guard {
	struct sb_guard_spec spec;
	struct sb_filter filter;
	struct sb_opening opening; /* where spec.opening is set, what it leads to */
	struct sb_notify *notify;
	struct sb_watch *watch;
	char *cwd;
	struct sb_watch_call *call; /* of the notice in hand */
	uint64_t notices;
	struct sb_buf text;   /* scratch */
	unsigned module_site; /* where the linker opens it from, in its page; 0 not known yet */
};

static int born(void *arg, pid_t pid, struct sb_err *err)
{
	struct sb_guard *g = arg;
	struct sb_watch_spec spec = {
		.sink = g->spec.sink,
		.backend = g->spec.backend,
		.with_modules = g->spec.let_pass,
		.module = g->spec.opening ? g->spec.module : NULL,
		.opening = g->spec.opening,
		.no_new_privs = sb_notify_unprivileged(g->notify),
		.done = g->spec.done,
		.arg = g->spec.arg,
	};
	int rc = sb_watch_new(&spec, &g->watch, err);

	if (rc == 0)
		sb_watch_first(g->watch, pid, g->spec.trace->program, g->spec.trace->argv, g->cwd);
	return rc;
}

/* What every program that is started waits for, once more: to be let go right away. */
static bool opens_module(struct sb_guard *g, const struct sb_notice *notice)
{
	const struct sb_call *call = &notice->call;
	const struct sb_syscall *row = sb_syscall_find(call->abi, call->nr);
	unsigned site = notice->from & (SITE_PAGE - 1);
	const char *name = g->spec.module;

	if (!name || !row || row->act != SB_ACT_OPEN || row->dirfd != 0 ||
	    (int)call->args[0] != AT_FDCWD || call->args[2] != (O_RDONLY | O_CLOEXEC) ||
	    (g->module_site && site != g->module_site))
		return false;
	sb_buf_cut(&g->text, 0);
	if (sb_read_string(notice->tid, call->args[1], strlen(name) + 1, &g->text) < 0 ||
	    strcmp(sb_buf_str(&g->text), name) != 0)
		return false;
	g->module_site = site;
	return true;
}

static void serve(void *arg, const struct sb_notice *notice)
{
	struct sb_guard *g = arg;

	g->notices++;
	g->call = NULL;
	if (opens_module(g, notice))
		return;
	if (g->spec.ahead)
		g->spec.ahead(g->spec.arg, &notice->call);
	if (sb_watch_enter(g->watch, notice->tid, &notice->call, &g->call) >= 0 && g->call)
		sb_watch_guess(g->watch, g->call);
}

static void served(void *arg, const struct sb_notice *notice, bool valid)
{
	struct sb_guard *g = arg;

	(void)notice;
	if (g->call && valid)
		sb_watch_conclude(g->watch, g->call);
	else if (g->call)
		sb_watch_drop(g->watch, g->call);
	g->call = NULL;
}

int sb_guard_new(const struct sb_guard_spec *spec, struct sb_guard **ret, struct sb_err *err)
{
	struct sb_guard *g = calloc(1, sizeof *g);
	struct sb_filter_spec filter = {
		.action = SECCOMP_RET_USER_NOTIF,
		.let_pass = spec->let_pass,
		.refuse_uring = !spec->trace->allow_uring,
		.with_filters = true,
	};

	if (!g)
		return sb_fail(err, ENOMEM, "start the trace");
	g->spec = *spec;
	if (spec->opening) {
		g->opening = *spec->opening;
		g->spec.opening = filter.opening = &g->opening;
	}
	g->cwd = getcwd(NULL, 0);
	struct sb_notify_spec notify = {spec->trace->trace, &g->filter, born, serve, served, g};
	/* The most frequent one comes first. */
	if (spec->quiet)
		filter.quiet[filter.quiet_count++] = *spec->quiet;
	filter.quiet_count += sb_quiet_learn(filter.quiet + filter.quiet_count);
	int rc = g->cwd ? sb_filter_make(&filter, &g->filter, err)
			: sb_fail(err, errno, "find the working directory");
	if (rc == 0)
		rc = sb_notify_new(&notify, &g->notify, err);
	if (rc < 0)
		sb_guard_free(g);
	else
		*ret = g;
	return rc;
}

void sb_guard_free(struct sb_guard *g)
{
	if (!g)
		return;
	sb_notify_free(g->notify);
	sb_watch_free(g->watch);
	sb_buf_free(&g->text);
	free(g->cwd);
	free(g);
}

int sb_guard_start(struct sb_guard *g, char *const *envp, struct sb_err *err)
{
	const struct sb_trace_spec *trace = g->spec.trace;
	/* As the user wrote it: a script is told this name, and may print it. */
	const char *file = strchr(trace->argv[0], '/') ? trace->argv[0] : trace->program;

	trace->child->hooks = sb_notify_hooks(g->notify);
	return sb_child_start(trace->child, file, trace->argv, envp, trace->apart, err);
}

int sb_guard_turn(struct sb_guard *g, double seconds, int *ret_status)
{
	double until = 0, left = seconds;

	/* Whoever was answered runs while we wait for the next one, not while we look around. */
	for (int i = 0; i < NOTICES_MOST && left > 0; i++) {
		if (!sb_notify_wait(g->notify, left))
			break;
		if (until == 0)
			until = sb_tend_now() + (seconds < BUSY_SECONDS ? seconds : BUSY_SECONDS);
		left = until - sb_tend_now();
	}
	sb_watch_sweep(g->watch);
	return sb_child_wait(g->spec.trace->child, 0, ret_status);
}

bool sb_guard_any(struct sb_guard *g)
{
	return !sb_notify_deserted(g->notify);
}

size_t sb_guard_find(struct sb_guard *g, pid_t *pids, size_t cap)
{
	size_t count = 0;

	if (g->spec.trace->child->pid)
		pids[count++] = g->spec.trace->child->pid;
	size_t known = sb_watch_running(g->watch, pids + count, cap - count);
	count += known < cap - count ? known : cap - count;
	sb_proc_add_children(pids, &count, cap);
	return count;
}

uint32_t sb_guard_image(struct sb_guard *g, const struct sb_watch_image *image)
{
	return sb_watch_image(g->watch, image);
}

void sb_guard_stale(struct sb_guard *g)
{
	sb_watch_stale(g->watch);
}

void sb_guard_passes(struct sb_guard *g, uint64_t count)
{
	sb_watch_passes(g->watch, count);
}

void sb_guard_finish(struct sb_guard *g)
{
	sb_log(SB_LOG_DEBUG, "%llu notifications", (unsigned long long)g->notices);
	sb_watch_finish(g->watch);
}
