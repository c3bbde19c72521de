/*
 * The hybrid backend: the modules record what libc and the dynamic linker are asked for, by system
 * calls that the guard's filter lets pass; every other call is reported by the kernel. So nothing
 * is missed, as with notify, at nearly the cost of audit.
 *
 * Two tell one trace. The guard (tracer/guard.h) knows every process, and what each executes; the
 * collector (tracer/collect.h) asks it which image has said hello. What the modules wrote before a
 * call that the guard is told of is read before that call is looked at, where order matters.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/path.h"
#include "tracer/audit_env.h"
#include "tracer/backend.h"
#include "tracer/child.h"
#include "tracer/collect.h"
#include "tracer/guard.h"
#include "tracer/logfile.h"
#include "tracer/notify.h"
#include "tracer/tend.h"

/* More records than this at a time: look again soon. */
#define BUSY_RECORDS 500

struct hybrid {
	const struct sb_trace_spec *spec;
	struct sb_sink *sink;
	struct sb_log_file *log;
	struct sb_collector *collector;
	struct sb_guard *guard;
	struct sb_audit_plan plan;
	struct sb_buf module;
	struct sb_tend tend;
	uint64_t moves; /* of the log, as seen last */
};

static int probe(struct sb_err *err)
{
	auto_buf libexec = SB_BUF_INIT, modules = SB_BUF_INIT;
	int rc = sb_libexec_dir(&libexec, err);

	if (rc == 0)
		rc = sb_audit_modules("hybrid", libexec.s, &modules, err);
	if (rc == 0)
		rc = sb_notify_probe("hybrid", err);
	return rc;
}

/* --- what one tells the other ----------------------------------------------------------------- */

static uint32_t number(void *arg, const struct sb_watch_image *image)
{
	struct hybrid *h = arg;

	return sb_guard_image(h->guard, image);
}

static void done(void *arg, uint32_t process)
{
	struct hybrid *h = arg;

	if (!sb_collector_expects(h->collector, process))
		sb_sink_done(h->sink, process);
}

/* Whether it may make or change a file: who was there first is told in order of time. */
static bool writes(const struct sb_syscall *row, const struct sb_call *call)
{
	if (row->kind == SB_WRITE || row->act == SB_ACT_OPENAT2)
		return true;
	if (row->act != SB_ACT_OPEN)
		return false;
	return row->flags < 0 || call->args[row->flags] & (O_ACCMODE | O_CREAT | O_TRUNC);
}

static void ahead(void *arg, const struct sb_call *call)
{
	struct hybrid *h = arg;
	const struct sb_syscall *row = sb_syscall_find(call->abi, call->nr);
	uint64_t moves = __atomic_load_n(&sb_log_head(h->log)->moves, __ATOMIC_ACQUIRE);

	if (moves != h->moves) {
		h->moves = moves;
		sb_guard_stale(h->guard);
	}
	sb_guard_passes(h->guard, __atomic_load_n(&sb_log_head(h->log)->execs, __ATOMIC_ACQUIRE));
	/* Who does so past libc has modules that do not know. */
	if (row && (row->act == SB_ACT_CHDIR || row->act == SB_ACT_FCHDIR))
		(void)__atomic_add_fetch(&sb_log_head(h->log)->strays, 1, __ATOMIC_SEQ_CST);
	/* An image that is about to be another one has its number now; and so has one that has said
	 * hello before it called. */
	if (sb_collector_behind(h->collector) ||
	    (row && (row->act == SB_ACT_EXEC || writes(row, call))))
		sb_collector_catch_up(h->collector);
}

/* --- a run ------------------------------------------------------------------------------------ */

static void save(void *arg)
{
	struct hybrid *h = arg;

	sb_collector_tell(h->collector);
}

static bool turn(void *arg, double seconds)
{
	struct hybrid *h = arg;

	if (sb_guard_turn(h->guard, seconds, &h->tend.status) > 0)
		h->tend.ended = true;
	return sb_collector_poll(h->collector) > BUSY_RECORDS;
}

static bool any(void *arg)
{
	struct hybrid *h = arg;

	return sb_guard_any(h->guard);
}

static size_t find(void *arg, pid_t *pids, size_t cap)
{
	struct hybrid *h = arg;

	return sb_guard_find(h->guard, pids, cap);
}

static int prepare(struct hybrid *h, struct sb_err *err)
{
	struct sb_guard_spec guard = {
		.trace = h->spec,
		.sink = h->sink,
		.backend = "hybrid",
		.let_pass = true,
		.ahead = ahead,
		.done = done,
		.arg = h,
	};
	auto_buf modules = SB_BUF_INIT;
	struct sb_quiet quiet;
	struct sb_opening opening;
	int rc = sb_audit_modules("hybrid", h->spec->libexec, &modules, err);

	if (rc == 0)
		rc = sb_log_make(modules.s, &h->log, err);
	if (rc < 0)
		return rc;
	sb_sink_hide(h->sink, sb_log_dir(h->log));
	if (sb_audit_text(h->log, h->sink, &quiet))
		guard.quiet = &quiet;
	sb_sink_hide(h->sink, modules.s);
	if (sb_buf_printf(&h->module, "%s/" SB_AUDIT_NAME, sb_log_modules(h->log)) < 0)
		return sb_fail(err, ENOMEM, "start the trace");
	guard.module = h->module.s;
	rc = sb_audit_plan(h->spec, h->log, h->sink, true, &h->plan, err);
	if (rc == 0 && sb_opening_learn(guard.module, h->plan.envp, &opening)) {
		sb_log_head(h->log)->opening_distance = opening.distance;
		sb_log_head(h->log)->opening_site = opening.site;
		guard.opening = &opening;
	}
	if (rc == 0)
		rc = sb_collector_new(h->log, h->sink, &h->plan.first, &h->collector, err);
	if (rc == 0)
		rc = sb_guard_new(&guard, &h->guard, err);
	if (rc == 0)
		sb_collector_share(h->collector, number, h);
	return rc;
}

static int run(const struct sb_trace_spec *spec, struct sb_sink *sink, int *ret_status,
	       struct sb_err *err)
{
	struct hybrid h = {.spec = spec, .sink = sink};

	h.tend = (struct sb_tend){
		.spec = spec,
		.sink = sink,
		.turn = turn,
		.any = any,
		.find = find,
		.save = save,
		.arg = &h,
	};
	*ret_status = -1;
	int rc = sb_tend_new(&h.tend, err);
	if (rc == 0)
		rc = prepare(&h, err);
	if (rc == 0)
		rc = sb_guard_start(h.guard, h.plan.envp, err);
	if (rc == 0) {
		rc = sb_tend_run(&h.tend, err);
		sb_collector_finish(h.collector, NULL, 0);
		sb_guard_finish(h.guard);
		*ret_status = h.tend.status;
	}
	sb_guard_free(h.guard);
	sb_buf_free(&h.module);
	sb_collector_free(h.collector);
	sb_log_free(h.log);
	sb_audit_plan_free(&h.plan);
	sb_tend_free(&h.tend);
	return rc;
}

const struct sb_backend sb_backend_hybrid = {
	.name = "hybrid",
	.summary = "modules in programs, and notifications of all that passes them by",
	.needs = "Linux 5.5, seccomp, memory to be read",
	.probe = probe,
	.doubt = sb_notify_doubt,
	.run = run,
};
