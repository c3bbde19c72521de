/*
 * The audit backend: LD_AUDIT and LD_PRELOAD modules record into a log in shared memory, and a
 * collector in this process reads it. Needs nothing of the machine; sees what is dynamically
 * linked.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/path.h"
#include "tracer/audit_env.h"
#include "tracer/backend.h"
#include "tracer/child.h"
#include "tracer/collect.h"
#include "tracer/logfile.h"
#include "tracer/proc.h"

/* The collector looks this often: soon enough to find temporary files still there. */
#define LOOK_SECONDS 0.02
#define BUSY_SECONDS 0.002
#define BUSY_RECORDS 500
/* What the command leaves running gets this long to end by itself: a pipe's reader, say. */
#define SETTLE_SECONDS 0.05
/* --timeout: from SIGTERM to SIGKILL, and from there until we give up waiting. */
#define TERM_SECONDS 2.0
#define KILL_SECONDS 3.0
#define PIDS_MOST    8192

struct audit {
	const struct sb_trace_spec *spec;
	struct sb_sink *sink;
	struct sb_log_file *log;
	struct sb_collector *collector;
	int status;
	bool ended;	/* the command has */
	uint64_t began; /* our own start, in ticks */
	pid_t *pids;
	struct sb_audit_plan plan;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int find_modules(const char *libexec, struct sb_buf *ret, struct sb_err *err)
{
	auto_buf file = SB_BUF_INIT;

	sb_buf_cut(ret, 0);
	if (sb_buf_printf(ret, "%s/" SB_LIBDIR, libexec) < 0)
		return sb_fail(err, ENOMEM, "find the modules");
	for (int i = 0; i < 2; i++) {
		sb_buf_cut(&file, 0);
		if (sb_buf_printf(&file, "%s/%s", ret->s, i ? SB_AUDIT_NAME : SB_PRELOAD_NAME) < 0)
			return sb_fail(err, ENOMEM, "find the modules");
		if (access(file.s, R_OK) < 0)
			return sb_fail(err, errno,
				       "backend audit: read its module '%s' (install sidebundle "
				       "whole, or set SIDEBUNDLE_LIBEXEC)",
				       file.s);
	}
	return 0;
}

static int probe(struct sb_err *err)
{
	auto_buf libexec = SB_BUF_INIT, modules = SB_BUF_INIT;
	int rc = sb_libexec_dir(&libexec, err);

	return rc < 0 ? rc : find_modules(libexec.s, &modules, err);
}

/*
 * Everybody: the command, who said hello, their children, and who was born with our variables. The
 * last ones take a look at all of /proc, but a child that has not said a word yet is not missed.
 */
static size_t find_all(struct audit *a)
{
	size_t count = 0;

	if (a->spec->child->pid)
		a->pids[count++] = a->spec->child->pid;
	size_t known = sb_collector_running(a->collector, a->pids + count, PIDS_MOST - count);
	count += known < PIDS_MOST - count ? known : PIDS_MOST - count;
	sb_proc_add_born_with(sb_log_path(a->log), a->began, a->pids, &count, PIDS_MOST);
	sb_proc_add_children(a->pids, &count, PIDS_MOST);
	return count;
}

static void signal_all(struct audit *a, size_t count, int sig)
{
	for (size_t i = 0; i < count; i++)
		(void)kill(a->pids[i], sig); /* gone by now: fine */
}

/* Waits a little, and reads what came. */
static size_t turn(struct audit *a, double seconds)
{
	if (sb_child_wait(a->spec->child, seconds, &a->status) > 0)
		a->ended = true;
	return sb_collector_poll(a->collector);
}

/* Its time is up: politely first, as timeout(1) does; then again until nobody is left. */
static void kill_all(struct audit *a)
{
	double start = now();
	size_t count = find_all(a);

	signal_all(a, count, SIGTERM);
	signal_all(a, count, SIGCONT); /* a stopped one would not hear it */
	while (count && now() - start < TERM_SECONDS) {
		(void)turn(a, LOOK_SECONDS);
		count = find_all(a);
	}
	start = now();
	while (count && now() - start < KILL_SECONDS) {
		signal_all(a, count, SIGKILL);
		(void)turn(a, LOOK_SECONDS);
		count = find_all(a);
	}
}

/* The command has ended: whether to wait on, for those who outlive it. */
static bool goes_on(struct audit *a, double *settled)
{
	if (a->spec->child->told_to_end)
		return false;
	/* Cheap first: as long as somebody known is there, nobody need be searched for. */
	if (!sb_collector_running(a->collector, NULL, 0) && !find_all(a))
		return false;
	*settled = *settled > 0 ? *settled : now() + SETTLE_SECONDS;
	return a->spec->wait_all || now() < *settled;
}

/* 0, or -ETIME. */
static int watch(struct audit *a, struct sb_err *err)
{
	double deadline = a->spec->timeout > 0 ? now() + a->spec->timeout : 0, settled = 0;
	double wait = BUSY_SECONDS;

	for (;;) {
		double left = deadline ? deadline - now() : 1;

		if (left <= 0) {
			kill_all(a);
			(void)sb_fail(
				err, SB_ESAID,
				"'%s' and what it had started were killed after %g s (--timeout)",
				a->spec->argv[0], a->spec->timeout);
			return -ETIME;
		}
		wait = turn(a, left < wait ? left : wait) > BUSY_RECORDS ? BUSY_SECONDS
									 : LOOK_SECONDS;
		if (a->ended && !goes_on(a, &settled))
			return 0;
	}
}

static int start(struct audit *a, struct sb_err *err)
{
	auto_buf modules = SB_BUF_INIT;
	int rc = find_modules(a->spec->libexec, &modules, err);

	if (rc == 0)
		rc = sb_log_make(modules.s, &a->log, err);
	if (rc < 0)
		return rc;
	sb_sink_hide(a->sink, sb_log_dir(a->log));
	sb_sink_hide(a->sink, modules.s);
	rc = sb_audit_plan(a->spec, a->log, a->sink, &a->plan, err);
	if (rc == 0)
		rc = sb_collector_new(a->log, a->sink, &a->plan.first, &a->collector, err);
	/* As the user wrote it: a script is told this name, and may print it. */
	const char *file = strchr(a->spec->argv[0], '/') ? a->spec->argv[0] : a->spec->program;
	if (rc == 0)
		rc = sb_child_start(a->spec->child, file, a->spec->argv, a->plan.envp,
				    a->spec->apart, err);
	a->plan.first.pid = a->spec->child->pid;
	return rc;
}

static int run(const struct sb_trace_spec *spec, struct sb_sink *sink, int *ret_status,
	       struct sb_err *err)
{
	struct audit a = {.spec = spec, .sink = sink};
	struct sb_proc self;
	int rc;

	if (sb_proc_look(getpid(), &self) == 0)
		a.began = self.started;

	*ret_status = -1;
	a.pids = calloc(PIDS_MOST, sizeof *a.pids);
	rc = a.pids ? start(&a, err) : sb_fail(err, ENOMEM, "start the trace");
	if (rc == 0) {
		rc = watch(&a, err);
		size_t left = find_all(&a);
		sb_collector_finish(a.collector, a.pids, left);
		*ret_status = a.status;
	}
	sb_collector_free(a.collector);
	sb_log_free(a.log);
	sb_audit_plan_free(&a.plan);
	free(a.pids);
	return rc;
}

const struct sb_backend sb_backend_audit = {
	.name = "audit",
	.summary = "modules in every dynamically linked program; needs nothing",
	.probe = probe,
	.run = run,
};
