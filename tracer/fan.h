/*
 * Opens and execs of a tree of processes by fanotify(7): marks on file systems, events of the whole
 * machine, filtered to the tree (tracer/forks.h) even where a process is gone by now.
 *
 * Order: sb_fan_open() before the command is started, sb_fan_first() once it is; sb_fan_wait() and
 * sb_fan_turn() in turns until nobody is left to watch; sb_fan_finish() once; sb_fan_free().
 *
 * What fanotify cannot tell: the name that was used (the real path stands for it), what failed, and
 * whether a directory was read. What was opened for writing is known when it is closed: so opens
 * are held back until then. The kernel's own file systems (/proc, /sys, /dev) are not watched: an
 * event comes with a second open of the file, and there that is not harmless.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "tracer/sink.h"

struct sb_fan;

/* An image by what everybody can count: the how manieth process of that number, and of its execs.
 */
struct sb_fan_image {
	pid_t pid;
	uint32_t births; /* 1: the first one that had the number */
	uint32_t execs;	 /* 0: as it was forked; the command's first one does not count */
};

struct sb_fan_spec {
	/* What was seen; process lines come before the events of the process. */
	void (*process)(void *arg, const struct sb_trace_process *p,
			const struct sb_fan_image *image);
	void (*event)(void *arg, const struct sb_event *ev);
	void (*blind)(void *arg, enum sb_blind blind, const char *path);
	void (*lost)(void *arg, uint64_t count);
	void *arg;
};

/* -errno where the machine does not grant it; err says what to do. */
int sb_fan_open(const struct sb_fan_spec *spec, struct sb_fan **ret, struct sb_err *err);
void sb_fan_free(struct sb_fan *fan);
/* The command, which has been started. `program` (absolute), `argv` and `cwd` outlive the fan. */
void sb_fan_first(struct sb_fan *fan, pid_t pid, const char *program, char *const *argv,
		  const char *cwd);
/*
 * Waits at most so long for something to read; for `also` to be readable, too (-1: nothing). Looks
 * for what was mounted, as well.
 */
void sb_fan_wait(struct sb_fan *fan, double seconds, int also);
/* Reads all that is there. */
void sb_fan_turn(struct sb_fan *fan);
/* As sb_collector_running(). */
size_t sb_fan_running(const struct sb_fan *fan, pid_t *pids, size_t cap);
/* Tells what is held back. */
void sb_fan_flush(struct sb_fan *fan);
/* Some of it was told before its time: who wrote to a file that was open then is a guess. */
bool sb_fan_flushed(const struct sb_fan *fan);
/* Reads the last, tells what was held back, and who lives on. */
void sb_fan_finish(struct sb_fan *fan);
