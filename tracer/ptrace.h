/*
 * A command under ptrace, stopped by a seccomp filter at the system calls of the table and nowhere
 * else: what it names is read as it enters, what it comes to as it leaves.
 *
 * Order: sb_ptrace_new(), sb_ptrace_start(), then sb_ptrace_turn(), _any() and _find() in a struct
 * sb_tend; sb_ptrace_finish(), sb_ptrace_free().
 *
 * Until it is finished, a timer's signal may end a system call of ours that waits (EINTR).
 *
 * Tracees die with their tracer (PTRACE_O_EXITKILL), and without one the filter's calls would fail:
 * who outlives the command is served by sb_ptrace_serve(), to its end.
 *
 * Needs Linux 5.3 (PTRACE_GET_SYSCALL_INFO).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"
#include "tracer/backend.h"
#include "tracer/sink.h"
#include "tracer/watch.h"

struct sb_ptrace;

struct sb_ptrace_spec {
	const struct sb_trace_spec *trace; /* outlives the run */
	struct sb_sink *sink;
	/* For who watches by other means, too; each may be NULL. None is called once it is
	 * finished. */
	void (*started)(void *arg, pid_t pid); /* the command: about to exec */
	void (*before)(void *arg); /* a call is about to be made that may change names */
	/* As of struct sb_watch_spec. */
	void (*met)(void *arg, enum sb_watch_step step, pid_t pid, uint32_t number);
	void (*told)(void *arg, const struct sb_event *ev);
	void *arg;
};

int sb_ptrace_new(const struct sb_ptrace_spec *spec, struct sb_ptrace **ret, struct sb_err *err);
void sb_ptrace_free(struct sb_ptrace *p);

/* Starts the command; -errno of execve where that failed. */
int sb_ptrace_start(struct sb_ptrace *p, struct sb_err *err);
/*
 * Waits for 20 ms at most, and takes in what comes until then. True: more is on its way. The
 * command's wait status goes to *ret_status and *ret_ended is set once it has ended.
 */
bool sb_ptrace_turn(struct sb_ptrace *p, bool *ret_ended, int *ret_status);
bool sb_ptrace_any(const struct sb_ptrace *p);
size_t sb_ptrace_find(struct sb_ptrace *p, pid_t *pids, size_t cap);
/* Nothing is told to the sink from here on. */
void sb_ptrace_finish(struct sb_ptrace *p);
/* Lets everybody go on who is left, and returns when nobody is. */
void sb_ptrace_serve(void *p);

/* Tries it on a child. Fails with the reason and the remedy. `who` is the backend that asks. */
int sb_ptrace_probe(const char *who, struct sb_err *err);
