/*
 * The ptrace backend: a seccomp filter stops the command at the system calls of the table, and we
 * look at what they name and at what they come to. Sees every program, with exact outcomes; who
 * outlives the command keeps us as its tracer.
 */
#include "tracer/apart.h"
#include "tracer/backend.h"
#include "tracer/ptrace.h"
#include "tracer/tend.h"

struct tracing {
	struct sb_ptrace *ptrace;
	struct sb_tend tend;
};

static int probe(struct sb_err *err)
{
	return sb_ptrace_probe("ptrace", err);
}

static bool turn(void *arg, double seconds)
{
	struct tracing *t = arg;

	(void)seconds; /* its turns are short enough */
	return sb_ptrace_turn(t->ptrace, &t->tend.ended, &t->tend.status);
}

static bool any(void *arg)
{
	const struct tracing *t = arg;

	return sb_ptrace_any(t->ptrace);
}

static size_t find(void *arg, pid_t *pids, size_t cap)
{
	struct tracing *t = arg;

	return sb_ptrace_find(t->ptrace, pids, cap);
}

static int run(const struct sb_trace_spec *spec, struct sb_sink *sink, int *ret_status,
	       struct sb_err *err)
{
	struct tracing t = {0};
	const struct sb_ptrace_spec ptrace = {.trace = spec, .sink = sink};

	t.tend = (struct sb_tend){
		.spec = spec,
		.sink = sink,
		.turn = turn,
		.any = any,
		.find = find,
		.arg = &t,
	};
	*ret_status = -1;
	int rc = sb_tend_new(&t.tend, err);
	if (rc == 0)
		rc = sb_ptrace_new(&ptrace, &t.ptrace, err);
	if (rc == 0)
		rc = sb_ptrace_start(t.ptrace, err);
	if (rc == 0) {
		rc = sb_tend_run(&t.tend, err);
		sb_ptrace_finish(t.ptrace);
		*ret_status = t.tend.status;
		if (sb_ptrace_any(t.ptrace)) {
			*spec->after = (struct sb_afterlife){sb_ptrace_serve, t.ptrace};
			t.ptrace = NULL;
		}
	}
	sb_ptrace_free(t.ptrace);
	sb_tend_free(&t.tend);
	return rc;
}

const struct sb_backend sb_backend_ptrace = {
	.name = "ptrace",
	.summary = "ptrace, at the calls that name a file: every program, exact outcomes",
	.needs = "Linux 5.3, seccomp, ptrace of children",
	.stays = 1,
	.probe = probe,
	.run = run,
};
