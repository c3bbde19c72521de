/*
 * The combined backend: ptrace and fanotify at once over one run. The calls tell names, outcomes
 * and what was only looked at; the file systems tell what was opened without a call that ptrace
 * could see. What both saw stands once, as ptrace told it.
 */
#include <stdlib.h>

#include "tracer/apart.h"
#include "tracer/backend.h"
#include "tracer/fan.h"
#include "tracer/ptrace.h"
#include "tracer/tend.h"
#include "tracer/unseen.h"

struct combined {
	const struct sb_trace_spec *spec;
	struct sb_sink *sink;
	struct sb_ptrace *ptrace;
	struct sb_fan *fan;
	struct sb_unseen *unseen;
	char *cwd;
	struct sb_tend tend;
};

/* --- from the calls -------------------------------------------------------------------------- */

static void started(void *arg, pid_t pid)
{
	struct combined *c = arg;

	sb_fan_first(c->fan, pid, c->spec->program, c->spec->argv, c->cwd);
}

/* What was opened has the name yet that it had then, as far as the command's own calls go. */
static void before(void *arg)
{
	struct combined *c = arg;

	sb_fan_turn(c->fan);
}

static void met(void *arg, enum sb_watch_step step, pid_t pid, uint32_t number)
{
	struct combined *c = arg;

	sb_unseen_met(c->unseen, step, pid, number);
}

static void told(void *arg, const struct sb_event *ev)
{
	struct combined *c = arg;

	sb_unseen_told(c->unseen, ev);
}

/* --- from the file systems ------------------------------------------------------------------- */

static void process(void *arg, const struct sb_trace_process *p, const struct sb_fan_image *image)
{
	struct combined *c = arg;

	sb_unseen_process(c->unseen, p, image);
}

static void event(void *arg, const struct sb_event *ev)
{
	struct combined *c = arg;

	sb_unseen_file(c->unseen, ev, sb_fan_flushed(c->fan));
}

static void blind(void *arg, enum sb_blind why, const char *path)
{
	struct combined *c = arg;

	/* Who lives on is told by the other side. */
	if (why != SB_BLIND_OUTLIVED)
		sb_sink_blind(c->sink, why, path, 1);
}

static void lost(void *arg, uint64_t count)
{
	struct combined *c = arg;

	sb_sink_lost(c->sink, count);
}

static int open_fan(struct combined *c, struct sb_err *err)
{
	const struct sb_fan_spec spec = {
		.process = process, .event = event, .blind = blind, .lost = lost, .arg = c};
	int rc = sb_fan_open(&spec, &c->fan, err);

	return rc < 0 ? sb_wrap(err, "backend combined") : 0;
}

/* --- both ------------------------------------------------------------------------------------ */

static int probe(struct sb_err *err)
{
	struct combined c = {0};
	int rc = open_fan(&c, err);

	sb_fan_free(c.fan);
	if (rc == 0)
		rc = sb_ptrace_probe("combined", err);
	return rc;
}

static bool turn(void *arg, double seconds)
{
	struct combined *c = arg;
	bool more = sb_ptrace_turn(c->ptrace, &c->tend.ended, &c->tend.status);

	(void)seconds; /* its turns are short enough */
	sb_fan_wait(c->fan, 0, -1);
	sb_fan_turn(c->fan);
	if (sb_unseen_full(c->unseen)) {
		sb_fan_flush(c->fan);
		sb_unseen_settle(c->unseen);
	}
	return more;
}

static bool any(void *arg)
{
	const struct combined *c = arg;

	return sb_ptrace_any(c->ptrace);
}

static size_t find(void *arg, pid_t *pids, size_t cap)
{
	struct combined *c = arg;

	return sb_ptrace_find(c->ptrace, pids, cap);
}

static int start(struct combined *c, struct sb_err *err)
{
	const struct sb_ptrace_spec ptrace = {
		.trace = c->spec,
		.sink = c->sink,
		.started = started,
		.before = before,
		.met = met,
		.told = told,
		.arg = c,
	};
	int rc = sb_unseen_new(c->sink, "fanotify", &c->unseen, err);

	if (rc == 0)
		rc = open_fan(c, err);
	if (rc == 0)
		rc = sb_ptrace_new(&ptrace, &c->ptrace, err);
	return rc < 0 ? rc : sb_ptrace_start(c->ptrace, err);
}

static void finish(struct combined *c)
{
	sb_fan_finish(c->fan);
	sb_ptrace_finish(c->ptrace);
	sb_unseen_finish(c->unseen);
	if (!sb_ptrace_any(c->ptrace))
		return;
	*c->spec->after = (struct sb_afterlife){sb_ptrace_serve, c->ptrace};
	c->ptrace = NULL;
}

static int run(const struct sb_trace_spec *spec, struct sb_sink *sink, int *ret_status,
	       struct sb_err *err)
{
	struct combined c = {.spec = spec, .sink = sink, .cwd = getcwd(NULL, 0)};

	c.tend = (struct sb_tend){
		.spec = spec,
		.sink = sink,
		.turn = turn,
		.any = any,
		.find = find,
		.arg = &c,
	};
	*ret_status = -1;
	int rc = sb_tend_new(&c.tend, err);
	if (rc == 0)
		rc = start(&c, err);
	if (rc == 0) {
		rc = sb_tend_run(&c.tend, err);
		finish(&c);
		*ret_status = c.tend.status;
	}
	sb_ptrace_free(c.ptrace);
	sb_unseen_free(c.unseen);
	sb_fan_free(c.fan);
	sb_tend_free(&c.tend);
	free(c.cwd);
	return rc;
}

const struct sb_backend sb_backend_combined = {
	.name = "combined",
	.summary = "ptrace and fanotify at once: what no call was made for, too",
	.needs = "CAP_SYS_ADMIN, and as ptrace",
	.stays = 1,
	.probe = probe,
	.run = run,
};
