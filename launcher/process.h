/*
 * Processes and descriptors below what libc offers.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/*
 * As fork(2), for a process without threads; but the child's end sends us no SIGCHLD, which would
 * stay pending for the program that we become where that signal is blocked. Wait with __WALL.
 */
pid_t launch_fork(void);
/* Closes first..last where `any`; best effort before Linux 5.9. */
void launch_close_range(unsigned first, unsigned last, bool any);
