/*
 * Removes what the program leaves behind, although we became the program and cannot wait for it.
 *
 * A small process that nobody sees: no child of the program (its own parent is gone before the
 * program starts), in a session of its own, with no descriptor of the program's, in the outer
 * namespaces. It waits until the namespace is gone, that is until the last process in it has ended,
 * however it ended, and then removes the directories that it was told of.
 *
 * While the program runs it holds the mount namespace, and lets it go when the program has ended:
 * taking the mounts down waits for every processor of the machine several times, and so neither the
 * program's end nor who waits for it does.
 *
 * Where there is no namespace it waits for the program's own end, and then for those that it has
 * left behind, as far as they can be told (launcher/users.h).
 *
 * Between the end of the program and the removal a moment passes. A reaper that is itself killed
 * (machine switched off, a PID namespace that ends) leaves the directory; the next run's reaper
 * sweeps it up from the same parent directory, once its lock is free.
 *
 * Order: launch_reaper_start() before unshare(2); launch_reaper_add() for each directory, as soon
 * as it is made; launch_reaper_watch() when all is mounted, by the process that becomes the
 * program. Whatever happens to us in between, exit or exec, closes the socket and starts the work.
 */
#pragma once

#include <stdbool.h>

#include "common/err.h"

struct launch_reaper {
	int socket;  /* what we tell it; close-on-exec */
	int inotify; /* shared with it; -1: it watches a pidfd of ours instead */
	bool pidfd;  /* it has one, for where nothing is to be watched */
	bool holds;  /* the namespace: not where changes are kept, and the kernel writes them out */
};

#define LAUNCH_REAPER_INIT           \
	{                            \
		-1, -1, false, false \
	}

/* How it is to be started. */
struct launch_reaper_way {
	int hold;	 /* a descriptor to keep open until it is done, a lock; -1: none */
	bool by_process; /* there may be no namespace: it waits for the end of our process then */
	bool apart;	 /* we live on beside it, and do not exec: it gets memory of its own */
};

/*
 * Unless it is to be apart, it has our memory as its own until we exec, and uses nothing of libc's
 * before that: a copy costs more than all that it does.
 */
int launch_reaper_start(const struct launch_reaper_way *way, struct launch_reaper *ret,
			struct sb_err *err);
/* `dir` (absolute) is to be removed with all that is in it; where `keep`, only our own parts. */
int launch_reaper_add(const struct launch_reaper *reaper, const char *dir, bool keep,
		      struct sb_err *err);
/* `path` lies on a file system that vanishes with the namespace that we are in. */
int launch_reaper_watch(const struct launch_reaper *reaper, const char *path, struct sb_err *err);
