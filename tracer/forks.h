/*
 * Who belongs to the command: the kernel's own records of forks, execs and ends, by
 * perf_event_open(2), of the whole machine, and filtered here. Needs CAP_PERFMON or CAP_SYS_ADMIN.
 *
 * Order: sb_forks_open() before the command is started, sb_forks_root() once it is, sb_forks_poll()
 * often, sb_forks_free(). A record is there before what it tells of can do anything: whoever polls
 * after he heard of a process by other means has been told of its birth.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"

enum sb_fork_kind {
	SB_FORK_BORN,	/* `pid` is a child of `parent` */
	SB_FORK_EXEC,	/* it has become another program */
	SB_FORK_MOUNTS, /* it is in this mount namespace now: told of each that is born, too */
	SB_FORK_ENDED,	/* all its threads have, and what it had open is closed */
};

/* Processes, no threads; numbers as our own PID namespace has them. */
struct sb_fork {
	enum sb_fork_kind kind;
	pid_t pid, parent;
	uint64_t mounts; /* the namespace's inode number */
};

typedef void (*sb_fork_fn)(void *arg, const struct sb_fork *what);

struct sb_forks;

/* -EPERM, -EACCES, -ENOENT, ...: the kernel refuses; err tells what to do. */
int sb_forks_open(struct sb_forks **ret, struct sb_err *err);
void sb_forks_free(struct sb_forks *forks);
void sb_forks_root(struct sb_forks *forks, pid_t pid);
/* One that was found by other means, after records were lost. */
void sb_forks_adopt(struct sb_forks *forks, pid_t pid);
/* Tells what happened within the tree, in order of time. */
void sb_forks_poll(struct sb_forks *forks, sb_fork_fn tell, void *arg);
/* Whether it is of the tree, and has not ended. */
bool sb_forks_has(const struct sb_forks *forks, pid_t pid);
/* Fills `pids` with those that have not ended; how many there are (maybe more than cap). */
size_t sb_forks_living(const struct sb_forks *forks, pid_t *pids, size_t cap);
/* Records that found no room so far: forks, too, perhaps. */
uint64_t sb_forks_lost(const struct sb_forks *forks);
