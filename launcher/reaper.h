/*
 * Removes what the program leaves behind, although we became the program and cannot wait for it.
 *
 * A small process that nobody sees: no child of the program (its own parent is gone before the
 * program starts), in a session of its own, with no descriptor of the program's, in the outer
 * namespaces. It waits until the namespace is gone, that is until the last process in it has ended,
 * however it ended, and then removes the directories that it was told of.
 *
 * Between the end of the program and the removal a moment passes. A reaper that is itself killed
 * (machine switched off, a PID namespace that ends) leaves the directory; the next run's reaper
 * sweeps it up from the same parent directory, once its lock is free.
 *
 * Order: launch_reaper_start() before unshare(2); launch_reaper_add() for each directory, as soon
 * as it is made; launch_reaper_watch() when all is mounted. Whatever happens to us in between, exit
 * or exec, closes the socket and starts the work.
 */
#pragma once

#include <stdbool.h>

#include "common/err.h"

struct launch_reaper {
	int socket;  /* what we tell it; close-on-exec */
	int inotify; /* shared with it; -1: it watches a pidfd of ours instead */
	bool pidfd;  /* it has one, for where nothing is to be watched */
};

#define LAUNCH_REAPER_INIT    \
	{                     \
		-1, -1, false \
	}

/*
 * `hold` (-1: none) is a descriptor that the reaper keeps open until it is done: a lock. Where
 * `by_process` there may be no namespace: it waits for the end of our process then.
 */
int launch_reaper_start(int hold, bool by_process, struct launch_reaper *ret, struct sb_err *err);
/* `dir` (absolute) is to be removed with all that is in it; where `keep`, only our own parts. */
int launch_reaper_add(const struct launch_reaper *reaper, const char *dir, bool keep,
		      struct sb_err *err);
/* `path` lies on a file system that vanishes with the namespace. */
int launch_reaper_watch(const struct launch_reaper *reaper, const char *path, struct sb_err *err);
