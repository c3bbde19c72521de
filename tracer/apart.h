/*
 * A run in a process of its own, for backends whose watcher must stay as long as anybody is
 * watched: whoever is left without the one that answers its system calls can make none.
 *
 * The process that the caller knows waits for the watcher, stops and goes on with it, passes
 * signals on to it, and returns once there is a result; the watcher lives on for those that outlive
 * the command, without a terminal and without holding anybody's pipes open.
 */
#pragma once

#include <stddef.h>

#include "common/err.h"
#include "tracer/child.h"

/* What is left to do when the result is known: until nobody needs it any more. */
struct sb_afterlife {
	void (*serve)(void *state); /* NULL: nothing */
	void *state;
};

/*
 * Calls body(arg, ...) in the watcher, and returns what it returned in the caller's process, with
 * the `size` bytes at `result` (which lie within what `arg` is about) as it left them. `child` is
 * prepared, and for the body to start the command with. -EOWNERDEAD: the watcher was killed.
 */
int sb_run_apart(int (*body)(void *arg, struct sb_afterlife *after, struct sb_err *err), void *arg,
		 void *result, size_t size, struct sb_child *child, struct sb_err *err);
