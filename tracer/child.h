/*
 * The traced command as our child: found as execvp does, started with everything as we found it,
 * waited for as strace does.
 *
 * Order: sb_child_prepare() before anything that changes limits, sb_child_start(), sb_child_wait()
 * until it says 1, sb_child_finish() whatever happened.
 *
 * Signals of the terminal reach the command by themselves, since it stays in our process group: we
 * only outlive them. Those that somebody sends to us alone are passed on. When the command stops,
 * we stop as well, so that the shell sees its job stop; when we are continued, so is the command.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "common/buf.h"
#include "common/err.h"

/*
 * What a backend does between fork and exec. `inside` runs in the child, right before it becomes
 * the command: -errno, and it does not. `beside` runs in the parent at the same time, and has to
 * return once `up` is readable: the exec has worked or failed then; where it fails itself, the
 * child is killed. Either may be NULL.
 */
struct sb_child_hooks {
	int (*inside)(void *arg);
	int (*beside)(void *arg, pid_t pid, int up, struct sb_err *err);
	void *arg;
	const char *what; /* that `inside` does: "install the seccomp filter" */
};

struct sb_child {
	pid_t pid;			    /* 0 until started, and when it has ended */
	const struct sb_child_hooks *hooks; /* set it before the start; NULL: none */
	sigset_t mask;
	struct sigaction chld, pipe, xfsz;
	struct rlimit file_size;
	bool prepared;
	bool told_to_end; /* by a signal, when the command had ended and others were waited for */
};

/*
 * The file that execvp would start: sets *ret to its name, absolute. -ENOENT: not found; -EACCES:
 * there, and not executable.
 */
int sb_child_find(const char *name, char *const *envp, struct sb_buf *ret, struct sb_err *err);

void sb_child_prepare(struct sb_child *child);
/*
 * Starts `path`. `apart`: its stdin is /dev/null, its output our stderr. -errno of execve where
 * that failed.
 */
int sb_child_start(struct sb_child *child, const char *path, char *const *argv, char *const *envp,
		   bool apart, struct sb_err *err);
/* Waits at most so many seconds. 1: it ended, *ret_status is its wait status; 0: not yet. */
int sb_child_wait(struct sb_child *child, double seconds, int *ret_status);

/* For who waits by himself: a signal came to us; the command was stopped by one. */
void sb_child_signalled(struct sb_child *child, int sig, int si_code);
void sb_child_stopped(struct sb_child *child, int sig);
/* The set of signals that sb_child_signalled() is about; all are blocked until the end. */
void sb_child_signals(sigset_t *ret);
/* In the child, before it becomes the command. */
void sb_child_restore(struct sb_child *child);
/*
 * In the parent, when all is done. Signals that are still waiting for us were the command's, which
 * ended as they came: they are not to end us, and its status with us.
 */
void sb_child_finish(struct sb_child *child);
