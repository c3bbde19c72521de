#include "tracer/tend.h"

#include <signal.h>
#include <stdlib.h>
#include <time.h>

#include "tracer/child.h"

/* How long a turn waits: soon enough to find temporary files still there. */
#define LOOK_SECONDS 0.02
#define BUSY_SECONDS 0.002
/* What the command leaves running gets this long to end by itself: a pipe's reader, say. */
#define SETTLE_SECONDS 0.05
/* --timeout: from SIGTERM to SIGKILL, and from there until we give up waiting. */
#define TERM_SECONDS 2.0
#define KILL_SECONDS 3.0
/* Should we be killed, the trace has what was known so long before. */
#define SAVE_SECONDS 0.5
#define PIDS_MOST    8192

double sb_tend_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int sb_tend_new(struct sb_tend *t, struct sb_err *err)
{
	t->pids = calloc(PIDS_MOST, sizeof *t->pids);
	return t->pids ? 0 : sb_fail(err, ENOMEM, "start the trace");
}

void sb_tend_free(struct sb_tend *t)
{
	free(t->pids);
	t->pids = NULL;
}

size_t sb_tend_left(struct sb_tend *t)
{
	size_t count = t->nobody ? 0 : t->find(t->arg, t->pids, PIDS_MOST);

	t->nobody = t->ended && count == 0;
	return count;
}

static void signal_all(struct sb_tend *t, size_t count, int sig)
{
	for (size_t i = 0; i < count; i++)
		(void)kill(t->pids[i], sig); /* gone by now: fine */
}

static bool turn(struct sb_tend *t, double seconds)
{
	bool more = t->turn(t->arg, seconds);
	double now = sb_tend_now();

	if (now - t->saved >= SAVE_SECONDS) {
		if (t->save)
			t->save(t->arg);
		sb_sink_save(t->sink);
		t->saved = now;
	}
	return more;
}

/* Takes turns for so long, however much there is to do in each. */
static void turns(struct sb_tend *t, double seconds)
{
	double until = sb_tend_now() + seconds, left = seconds;

	do {
		(void)turn(t, left);
		left = until - sb_tend_now();
	} while (left > 0);
}

/* Its time is up: politely first, as timeout(1) does; then again until nobody is left. */
static void kill_all(struct sb_tend *t)
{
	double start = sb_tend_now();
	size_t count = sb_tend_left(t);

	signal_all(t, count, SIGTERM);
	signal_all(t, count, SIGCONT); /* a stopped one would not hear it */
	while (count && sb_tend_now() - start < TERM_SECONDS) {
		turns(t, LOOK_SECONDS);
		count = sb_tend_left(t);
	}
	start = sb_tend_now();
	while (count && sb_tend_now() - start < KILL_SECONDS) {
		signal_all(t, count, SIGKILL);
		turns(t, LOOK_SECONDS);
		count = sb_tend_left(t);
	}
}

/* The command has ended: whether to wait on, for those who outlive it. */
static bool goes_on(struct sb_tend *t, double *settled)
{
	if (t->spec->child->told_to_end)
		return false;
	if (!t->any(t->arg) && !sb_tend_left(t))
		return false;
	*settled = *settled > 0 ? *settled : sb_tend_now() + SETTLE_SECONDS;
	return t->spec->wait_all || sb_tend_now() < *settled;
}

int sb_tend_run(struct sb_tend *t, struct sb_err *err)
{
	double deadline = t->spec->timeout > 0 ? sb_tend_now() + t->spec->timeout : 0;
	double settled = 0, wait = BUSY_SECONDS;

	t->saved = sb_tend_now();
	for (;;) {
		double left = deadline > 0 ? deadline - sb_tend_now() : 1;

		if (left <= 0) {
			kill_all(t);
			(void)sb_fail(
				err, SB_ESAID,
				"'%s' and what it had started were killed after %g s (--timeout)",
				t->spec->argv[0], t->spec->timeout);
			return -ETIME;
		}
		wait = turn(t, left < wait ? left : wait) ? BUSY_SECONDS : LOOK_SECONDS;
		if (t->ended && !goes_on(t, &settled))
			return 0;
	}
}
