/*
 * The audit backend: LD_AUDIT and LD_PRELOAD modules record into a log in shared memory, and a
 * collector in this process reads it. Needs nothing of the machine; sees what is dynamically
 * linked.
 */
#include <string.h>
#include <sys/stat.h>
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
#include "tracer/tend.h"

/* More records than this at a time: look again soon. */
#define BUSY_RECORDS 500

struct audit {
	const struct sb_trace_spec *spec;
	struct sb_sink *sink;
	struct sb_log_file *log;
	struct sb_collector *collector;
	struct sb_proc_mark began;
	struct sb_tend tend;
	struct sb_audit_plan plan;
};

static int probe(struct sb_err *err)
{
	auto_buf libexec = SB_BUF_INIT, modules = SB_BUF_INIT;
	int rc = sb_libexec_dir(&libexec, err);

	return rc < 0 ? rc : sb_audit_modules("audit", libexec.s, &modules, err);
}

/*
 * Everybody: the command, who said hello, their children, and who was born with our variables. The
 * last ones take a look at /proc, but a child that has not said a word yet is not missed.
 */
static size_t find(void *arg, pid_t *pids, size_t cap)
{
	struct audit *a = arg;
	size_t count = 0;

	if (a->spec->child->pid)
		pids[count++] = a->spec->child->pid;
	size_t known = sb_collector_running(a->collector, pids + count, cap - count);
	count += known < cap - count ? known : cap - count;
	sb_proc_add_born_with(sb_log_path(a->log), &a->began, pids, &count, cap);
	sb_proc_add_children(pids, &count, cap);
	return count;
}

static bool any(void *arg)
{
	struct audit *a = arg;

	return sb_collector_running(a->collector, NULL, 0) > 0;
}

static void save(void *arg)
{
	struct audit *a = arg;

	sb_collector_tell(a->collector);
}

static bool turn(void *arg, double seconds)
{
	struct audit *a = arg;

	if (sb_child_wait(a->spec->child, seconds, &a->tend.status) > 0)
		a->tend.ended = true;
	return sb_collector_poll(a->collector) > BUSY_RECORDS;
}

static int start(struct audit *a, struct sb_err *err)
{
	auto_buf modules = SB_BUF_INIT;
	struct sb_quiet quiet; /* there is no filter that it matters to */
	int rc = sb_audit_modules("audit", a->spec->libexec, &modules, err);

	if (rc == 0)
		rc = sb_log_make(modules.s, &a->log, err);
	if (rc < 0)
		return rc;
	sb_sink_hide(a->sink, sb_log_dir(a->log));
	(void)sb_audit_text(a->log, a->sink, &quiet);
	sb_sink_hide(a->sink, modules.s);
	rc = sb_audit_plan(a->spec, a->log, a->sink, false, &a->plan, err);
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
	a.tend = (struct sb_tend){
		.spec = spec,
		.sink = sink,
		.turn = turn,
		.any = any,
		.find = find,
		.save = save,
		.arg = &a,
	};
	sb_proc_mark(&a.began);
	*ret_status = -1;
	int rc = sb_tend_new(&a.tend, err);
	if (rc == 0)
		rc = start(&a, err);
	if (rc == 0) {
		rc = sb_tend_run(&a.tend, err);
		size_t left = sb_tend_left(&a.tend);
		sb_collector_finish(a.collector, a.tend.pids, left);
		*ret_status = a.tend.status;
	}
	sb_collector_free(a.collector);
	sb_log_free(a.log);
	sb_audit_plan_free(&a.plan);
	sb_tend_free(&a.tend);
	return rc;
}

const struct sb_backend sb_backend_audit = {
	.name = "audit",
	.summary = "modules in every dynamically linked program",
	.probe = probe,
	.run = run,
};
