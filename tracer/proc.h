/*
 * Other processes, as /proc tells of them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sb_proc {
	char state; /* 'Z' and 'X' have ended */
	pid_t ppid;
	int threads;	  /* a process that has ended but was not waited for has its first one */
	uint64_t started; /* clock ticks since boot: with the pid, it names the process for good */
	/*
	 * What tells one image from the next, as exec sets it anew: where code, stack and arguments
	 * begin. Zeroes where that is closed to us, or there is no memory any more.
	 */
	uint64_t layout[3];
	uid_t owner; /* its effective user; root where it is not dumpable */
};

/* 0, or -ESRCH where there is none. */
int sb_proc_look(pid_t pid, struct sb_proc *ret);
/* Still running: there, no zombie, and started at `started` (0: whenever). */
bool sb_proc_runs(pid_t pid, uint64_t started);

/*
 * Adds to `pids` (`*count` of `cap`) every process whose parent is in it, until no more are found.
 * Processes that were left to init by a parent that has ended are not found this way.
 */
void sb_proc_add_children(pid_t *pids, size_t *count, size_t cap);

/* A moment, to find those by who began after it. */
struct sb_proc_mark {
	pid_t pid;	  /* ours */
	uint64_t started; /* when we began, as in struct sb_proc */
	uint64_t births;  /* on this machine since boot, threads too; 0 not known */
};

void sb_proc_mark(struct sb_proc_mark *ret);

/*
 * Adds every process that began after `since` and whose first environment holds `text`: what a
 * traced process is born with, whoever its parent is by now. Those that we may not look at are not
 * found. Looks at those alone that can have begun since, however many others there are.
 */
void sb_proc_add_born_with(const char *text, const struct sb_proc_mark *since, pid_t *pids,
			   size_t *count, size_t cap);
