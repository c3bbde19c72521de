/*
 * Two watch one run: by system calls (tracer/watch.h) and by files (tracer/fan.h). What the calls
 * told stands; this adds what only the files' side saw, as opens through io_uring, or those that
 * the kernel makes for a process by itself.
 *
 * Order: sb_unseen_new(); _met(), _told(), _process() and _file() as they come, which are the
 * callbacks of the two; sb_unseen_settle() where sb_unseen_full() says so, after all that was held
 * back was told; sb_unseen_finish() when both have told the last; sb_unseen_free().
 *
 * The kernel tells of an open while its call is under way, and the calls' side when it is over: so
 * nothing is taken for unseen before a whole round of sb_unseen_settle() has passed.
 *
 * Images have the numbers that the calls' side gives; one that it has none for (it made no call of
 * the table) gets a new one at the end.
 */
#pragma once

#include <stdbool.h>

#include "common/err.h"
#include "tracer/fan.h"
#include "tracer/sink.h"
#include "tracer/watch.h"

struct sb_unseen;

/* What is added goes to `sink`, which outlives it; `backend` (static) is who saw that. */
int sb_unseen_new(struct sb_sink *sink, const char *backend, struct sb_unseen **ret,
		  struct sb_err *err);
void sb_unseen_free(struct sb_unseen *u);

/* As the callbacks of struct sb_watch_spec. */
void sb_unseen_met(struct sb_unseen *u, enum sb_watch_step step, pid_t pid, uint32_t number);
void sb_unseen_told(struct sb_unseen *u, const struct sb_event *ev);
/* As those of struct sb_fan_spec; p->exe lives as long as the fan. */
void sb_unseen_process(struct sb_unseen *u, const struct sb_trace_process *p,
		       const struct sb_fan_image *image);
/* `guessed`: it was written to, by whom is a guess (sb_fan_flushed()): then any writer is it. */
void sb_unseen_file(struct sb_unseen *u, const struct sb_event *ev, bool guessed);

bool sb_unseen_full(const struct sb_unseen *u);
void sb_unseen_settle(struct sb_unseen *u);
void sb_unseen_finish(struct sb_unseen *u);
