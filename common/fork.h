/* A child that nobody hears of. */
#pragma once

#include <sys/types.h>

/*
 * As fork(2), for a process without threads; but the child's end sends us no SIGCHLD, which would
 * stay pending for the program that we become where that signal is blocked. Wait with __WALL.
 */
pid_t sb_fork_silent(void);
