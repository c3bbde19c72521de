/*
 * The collector: reads what traced processes put in the log, and delivers it to the sink.
 *
 * Order: sb_collector_new(), sb_collector_poll() every few milliseconds while the command runs,
 * sb_collector_finish() once, sb_collector_free(). Real paths are resolved when a record is first
 * seen, counts and outcomes of execs are taken when its chunk is done with.
 *
 * Nothing in the log is trusted: a tracee may have scribbled there. What makes no sense is counted
 * as lost.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "tracer/logfile.h"
#include "tracer/sink.h"

struct sb_collector;

/* The command itself, which no exec hook announces. Outlives the collector. */
struct sb_first {
	const char *exe; /* absolute */
	char *const *argv;
	const char *cwd;
	pid_t pid;     /* once it is started */
	bool unseen;   /* static: it passes our variables on to what it starts */
	bool raw;      /* Go: so does it, once it has said hello itself */
	bool expected; /* its dynamic linker loads our modules: silence would be a blind spot */
};

int sb_collector_new(struct sb_log_file *log, struct sb_sink *sink, const struct sb_first *first,
		     struct sb_collector **ret, struct sb_err *err);
void sb_collector_free(struct sb_collector *c);

struct sb_watch_image;
/*
 * Somebody else watches the same processes, and knows them all: who is who, what is executed, who
 * lives on, and what blind spots there are. To be said before anything is read. `number` gives the
 * number in the trace of the image that has just said hello.
 */
void sb_collector_share(struct sb_collector *c,
			uint32_t (*number)(void *arg, const struct sb_watch_image *image),
			void *arg);
/* Reads what was written before now, without looking who still lives. */
void sb_collector_catch_up(struct sb_collector *c);
/* Whether somebody may have said hello since. */
bool sb_collector_behind(const struct sb_collector *c);
/* Whether an image of that number may have more to tell: then its end will be told to the sink. */
bool sb_collector_expects(const struct sb_collector *c, uint32_t number);

/* Reads what is new; the number of records. */
size_t sb_collector_poll(struct sb_collector *c);
/*
 * Delivers what is held until its count is final, with the count that it has; what is added to that
 * is delivered later.
 */
void sb_collector_tell(struct sb_collector *c);
/* Fills `pids` with those that are known and still run; how many there are (maybe more than cap).
 */
size_t sb_collector_running(struct sb_collector *c, pid_t *pids, size_t cap);
/*
 * Reads the last, and reports what was not seen. Closes the log for those that live on: `pids`,
 * some of which may never have said hello.
 */
void sb_collector_finish(struct sb_collector *c, const pid_t *pids, size_t count);
