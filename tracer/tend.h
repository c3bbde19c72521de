/*
 * A command under watch, from its start to its end: time-outs, those who outlive it, when to stop.
 * What every backend does the same way, on top of what it does its own way.
 *
 * Order: fill in a struct sb_tend, sb_tend_new(), sb_tend_run() once the command is started, and
 * sb_tend_left() for who lives on; sb_tend_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"
#include "tracer/backend.h"
#include "tracer/sink.h"

struct sb_tend {
	const struct sb_trace_spec *spec;
	struct sb_sink *sink;
	/*
	 * Waits at most so many seconds for something to happen, and takes in what did. True: more
	 * is on its way, look again soon. To be noted here: that the command has `ended`.
	 */
	bool (*turn)(void *arg, double seconds);
	/* Cheap, and before anybody is searched for: somebody known still runs. */
	bool (*any)(void *arg);
	/* Everybody that still runs; how many of them are in `pids`. */
	size_t (*find)(void *arg, pid_t *pids, size_t cap);
	/* Delivers what is known: about twice a second, before it is saved in the trace file. May
	 * be NULL. */
	void (*save)(void *arg);
	void *arg;

	bool ended;
	bool nobody; /* it was searched, and none was left: none comes any more */
	int status;  /* wait status of the command */
	double saved;
	pid_t *pids;
};

int sb_tend_new(struct sb_tend *t, struct sb_err *err);
/* 0: the command has ended; -ETIME: it was ended, with all that it had started. */
int sb_tend_run(struct sb_tend *t, struct sb_err *err);
/* Who lives on, in t->pids. */
size_t sb_tend_left(struct sb_tend *t);
void sb_tend_free(struct sb_tend *t);

/* Seconds, of a clock that only goes forward. */
double sb_tend_now(void);
