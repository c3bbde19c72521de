/*
 * What the parts of sb_ptrace share: ptrace.c has the stops, ptrace_wait.c how they are waited for,
 * ptrace_start.c how the command is started and what the machine grants, ptrace_call.c the
 * registers.
 */
#pragma once

#include <linux/filter.h>
#include <sys/ptrace.h>
#include <time.h>

#include "tracer/child.h"
#include "tracer/decode.h"
#include "tracer/filter.h"
#include "tracer/ptrace.h"
#include "tracer/watch.h"

#define PTRACE_BUCKETS 1024u /* a power of two */

/* A call under way, whose outcome is waited for. */
struct ptrace_pending {
	pid_t tid;
	struct sb_watch_call *call;
	struct ptrace_pending *next;
};

struct sb_ptrace {
	struct sb_ptrace_spec spec; /* what it points to is gone with `watch` */
	struct sb_child_hooks hooks;
	struct sb_filter filter;
	struct sb_watch *watch; /* NULL before the command is seized, and when all is told */
	struct ptrace_pending *pending[PTRACE_BUCKETS], *spare;
	char *cwd;
	int child_end, our_end; /* of the socket by which the child waits for us */
	pid_t command;		/* 0 before it is there */
	bool ended, deserted;
	bool apart; /* somebody made a child that sees other mounts */
	int status; /* of the command */
	unsigned long long stops;
	timer_t timer;
	bool timed;		  /* there is one */
	struct timespec patience; /* of a wait */
};

/* --- ptrace.c -------------------------------------------------------------------------------- */
/* What a wait told of. */
void ptrace_take(struct sb_ptrace *p, pid_t tid, int status);

/* --- ptrace_wait.c --------------------------------------------------------------------------- */
/* From now on no wait is longer than that. */
void ptrace_tick(struct sb_ptrace *p, double seconds);
void ptrace_tick_end(struct sb_ptrace *p);
/* Signals that came to us are passed on; ptrace_wait() waits again, until the next tick. */
void ptrace_turn_begins(struct sb_ptrace *p);
/* Who has stopped or ended; 0 or -EINTR's -1: nobody so far; -1 with ECHILD: nobody is left. */
pid_t ptrace_wait(struct sb_ptrace *p, int *ret_status);

/* --- ptrace_start.c -------------------------------------------------------------------------- */
#define PTRACE_OPTIONS                                                                            \
	(PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | \
	 PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC)

/* --- ptrace_call.c --------------------------------------------------------------------------- */
/* The call that a thread enters. 0; -ESRCH: killed meanwhile; -EINVAL: of no ABI of ours. */
int ptrace_entered(pid_t tid, struct sb_call *ret);
/* What the call came to. 1; 0: it has not left yet; -ESRCH. */
int ptrace_left(pid_t tid, long *ret);
/* At its entry: it is not made, and fails with that errno. 0 or -errno. */
int ptrace_refuse(pid_t tid, int code);
/* At its entry: its first argument is another one. 0 or -errno. */
int ptrace_change(pid_t tid, enum sb_abi abi, uint64_t first);
