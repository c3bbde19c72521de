/*
 * Stands in for a program that is our child: what happens to us happens to it, and what becomes of
 * it becomes of us.
 *
 * Order: launch_monitor_block() first of all, and in each child launch_monitor_unblock();
 * launch_monitor_follow() when the program runs.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct launch_monitor {
	sigset_t mask;	      /* the caller's */
	bool ignore_children; /* SIGCHLD was ignored: so no child could be waited for */
};

void launch_monitor_block(struct launch_monitor *ret);
/* For a child that is to be somebody else. */
void launch_monitor_unblock(const struct launch_monitor *monitor);
/* Passes signals on until `program` has ended; its status, as of waitpid(2). */
int launch_monitor_follow(pid_t program);
/* Ends as a process with that status does. */
_Noreturn void launch_monitor_end(int status);
