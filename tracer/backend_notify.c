/*
 * The notify backend: a seccomp filter reports the system calls of the table to us, and lets them
 * go on when we have looked. Sees every program; needs to read the command's memory, and nothing
 * else.
 */
#include "tracer/backend.h"
#include "tracer/guard.h"
#include "tracer/notify.h"
#include "tracer/tend.h"

struct listening {
	struct sb_guard *guard;
	struct sb_tend tend;
};

static int probe(struct sb_err *err)
{
	return sb_notify_probe("notify", err);
}

static bool turn(void *arg, double seconds)
{
	struct listening *l = arg;

	if (sb_guard_turn(l->guard, seconds, &l->tend.status) > 0)
		l->tend.ended = true;
	return false;
}

static bool any(void *arg)
{
	struct listening *l = arg;

	return sb_guard_any(l->guard);
}

static size_t find(void *arg, pid_t *pids, size_t cap)
{
	struct listening *l = arg;

	return sb_guard_find(l->guard, pids, cap);
}

static int run(const struct sb_trace_spec *spec, struct sb_sink *sink, int *ret_status,
	       struct sb_err *err)
{
	struct listening l = {0};
	struct sb_guard_spec guard = {.trace = spec, .sink = sink, .backend = "notify"};

	l.tend = (struct sb_tend){
		.spec = spec,
		.sink = sink,
		.turn = turn,
		.any = any,
		.find = find,
		.arg = &l,
	};
	*ret_status = -1;
	int rc = sb_tend_new(&l.tend, err);
	if (rc == 0)
		rc = sb_guard_new(&guard, &l.guard, err);
	if (rc == 0)
		rc = sb_guard_start(l.guard, spec->envp, err);
	if (rc == 0) {
		rc = sb_tend_run(&l.tend, err);
		sb_guard_finish(l.guard);
		*ret_status = l.tend.status;
	}
	sb_guard_free(l.guard);
	sb_tend_free(&l.tend);
	return rc;
}

const struct sb_backend sb_backend_notify = {
	.name = "notify",
	.summary = "seccomp notifications: every program, static ones too",
	.needs = "Linux 5.5, seccomp, memory to be read",
	.probe = probe,
	.doubt = sb_notify_doubt,
	.run = run,
};
