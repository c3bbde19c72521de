#include "tracer/ptrace.h"

#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/log.h"
#include "tracer/proc.h"
#include "tracer/ptrace_private.h"

/* So many stops, and signals and the time are looked at, however many there are. */
#define STOPS_MOST 256
/* Once nobody asks any more: signals that come to us are taken off, and that is all. */
#define IDLE_SECONDS 1

/* --- calls under way ------------------------------------------------------------------------- */

static struct ptrace_pending **link_of(struct sb_ptrace *p, pid_t tid)
{
	struct ptrace_pending **link = &p->pending[(unsigned)tid & (PTRACE_BUCKETS - 1)];

	while (*link && (*link)->tid != tid)
		link = &(*link)->next;
	return link;
}

/* NULL: none is waited for. It is not waited for any more. */
static struct sb_watch_call *take_pending(struct sb_ptrace *p, pid_t tid)
{
	struct ptrace_pending **link = link_of(p, tid), *was = *link;

	if (!was)
		return NULL;
	*link = was->next;
	was->next = p->spare;
	p->spare = was;
	return was->call;
}

static bool is_pending(struct sb_ptrace *p, pid_t tid)
{
	return *link_of(p, tid);
}

/* False: no memory. */
static bool add_pending(struct sb_ptrace *p, pid_t tid, struct sb_watch_call *call)
{
	struct ptrace_pending **link = link_of(p, tid);
	struct ptrace_pending *fresh = p->spare ? p->spare : calloc(1, sizeof *fresh);

	if (!fresh)
		return false;
	p->spare = fresh == p->spare ? fresh->next : p->spare;
	*fresh = (struct ptrace_pending){.tid = tid, .call = call, .next = *link};
	*link = fresh;
	return true;
}

/* Nothing more is heard of it. */
static void cut_pending(struct sb_ptrace *p, pid_t tid)
{
	struct sb_watch_call *call = take_pending(p, tid);

	if (call)
		sb_watch_cut(p->watch, call);
}

/* --- stops ----------------------------------------------------------------------------------- */

/* One that was killed meanwhile goes without us. */
static void go_on(struct sb_ptrace *p, pid_t tid, int sig)
{
	(void)ptrace(p->watch && is_pending(p, tid) ? PTRACE_SYSCALL : PTRACE_CONT, tid, NULL,
		     (void *)(long)sig);
}

/*
 * A listener of the tracee's own would come before us: calls that it answers are never shown to a
 * tracer. There is one for all filters of a process, and as under another listener, the place is
 * taken.
 */
static bool wants_listener(const struct sb_syscall *row, const struct sb_call *call)
{
	return row->act == SB_ACT_FILTER && strcmp(row->name, "seccomp") == 0 &&
	       call->args[0] == SECCOMP_SET_MODE_FILTER &&
	       (call->args[1] & SECCOMP_FILTER_FLAG_NEW_LISTENER);
}

static bool is_clone3(const struct sb_syscall *row)
{
	return strcmp(row->name, "clone3") == 0;
}

static void keep_child(struct sb_ptrace *p, const struct sb_syscall *row, pid_t tid,
		       const struct sb_call *call)
{
	uint64_t flags = call->args[0];

	if (is_clone3(row) && sb_read_memory(tid, call->args[0], &flags, sizeof flags) < 0)
		return;
	p->apart |= (flags & CLONE_NEWNS) != 0;
	/* Under the filter and without a tracer, its calls would fail. */
	if (!(flags & CLONE_UNTRACED))
		return;
	if (is_clone3(row))
		(void)ptrace_refuse(tid, ENOSYS); /* as an old kernel: clone is taken then */
	else
		(void)ptrace_change(tid, call->abi, call->args[0] & ~(uint64_t)CLONE_UNTRACED);
}

/* Calls that would take somebody from us. */
static void keep(struct sb_ptrace *p, pid_t tid, const struct sb_call *call)
{
	const struct sb_syscall *row = sb_syscall_find(call->abi, call->nr);

	if (row && wants_listener(row, call))
		(void)ptrace_refuse(tid, EBUSY);
	else if (row && row->act == SB_ACT_CLONE)
		keep_child(p, row, tid, call);
}

static void entered(struct sb_ptrace *p, pid_t tid)
{
	struct sb_watch_call *waited = NULL;
	struct sb_call call;

	if (p->spec.before)
		p->spec.before(p->spec.arg);
	/* Signals may have kept an exit from us. */
	cut_pending(p, tid);
	if (ptrace_entered(tid, &call) < 0)
		return;
	keep(p, tid, &call);
	(void)sb_watch_enter(p->watch, tid, &call, &waited);
	if (waited && !add_pending(p, tid, waited)) {
		sb_watch_guess(p->watch, waited);
		sb_watch_conclude(p->watch, waited);
	}
}

/*
 * True: it goes on already. What it came to is told while it runs: whatever may change what names
 * mean has to wait for us.
 */
static bool left(struct sb_ptrace *p, pid_t tid)
{
	long result;

	if (!is_pending(p, tid) || ptrace_left(tid, &result) <= 0)
		return false;
	struct sb_watch_call *call = take_pending(p, tid);
	bool held = sb_watch_holds(call);
	if (!held)
		go_on(p, tid, 0);
	sb_watch_leave(p->watch, call, result);
	return !held;
}

static void forked(struct sb_ptrace *p, pid_t tid, int event)
{
	unsigned long child;
	char name[64];

	if (ptrace(PTRACE_GETEVENTMSG, tid, NULL, &child) < 0)
		return;
	(void)snprintf(name, sizeof name, "/proc/%d/task/%lu", (int)tid, child);
	bool thread = event == PTRACE_EVENT_CLONE && access(name, F_OK) == 0;
	sb_watch_fork(p->watch, tid, (pid_t)child, thread, !p->apart);
}

/* `pid` is the leader's number now, whichever thread it was that called. */
static void became(struct sb_ptrace *p, pid_t pid)
{
	unsigned long former;

	if (ptrace(PTRACE_GETEVENTMSG, pid, NULL, &former) < 0)
		return;
	if ((pid_t)former != pid)
		cut_pending(p, pid);
	/* The watch has it from its own books, and frees it. */
	(void)take_pending(p, (pid_t)former);
	sb_watch_exec(p->watch, pid, (pid_t)former);
}

static void grouped(struct sb_ptrace *p, pid_t tid, int sig)
{
	/* The start of a child, or the end of a stop. */
	if (sig == SIGTRAP) {
		go_on(p, tid, 0);
		return;
	}
	(void)ptrace(PTRACE_LISTEN, tid, NULL, NULL);
	if (p->watch && tid == p->command)
		sb_child_stopped(p->spec.trace->child, sig);
}

/* Once all is told, it is only let go on. */
static void stopped(struct sb_ptrace *p, pid_t tid, int status)
{
	int sig = WSTOPSIG(status), event = status >> 16;

	switch (event) {
	case PTRACE_EVENT_SECCOMP:
		if (p->watch)
			entered(p, tid);
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		if (p->watch)
			forked(p, tid, event);
		break;
	case PTRACE_EVENT_EXEC:
		if (p->watch)
			became(p, tid);
		break;
	case PTRACE_EVENT_STOP:
		grouped(p, tid, sig);
		return;
	default:
		if (sig != (SIGTRAP | 0x80)) {
			go_on(p, tid, event ? 0 : sig);
			return;
		}
		if (p->watch && left(p, tid))
			return;
	}
	go_on(p, tid, 0);
}

static void gone(struct sb_ptrace *p, pid_t tid, int status)
{
	if (!p->watch)
		return;
	cut_pending(p, tid);
	sb_watch_gone(p->watch, tid);
	if (tid == p->command) {
		p->spec.trace->child->pid = 0;
		p->status = status;
		p->ended = true;
	}
}

void ptrace_take(struct sb_ptrace *p, pid_t tid, int status)
{
	p->stops++;
	if (WIFSTOPPED(status))
		stopped(p, tid, status);
	else
		gone(p, tid, status);
}

/* --- turns ----------------------------------------------------------------------------------- */

/* Until the next tick, mostly. How many there were. */
static unsigned take_stops(struct sb_ptrace *p)
{
	unsigned taken = 0;
	int status;
	pid_t tid = 0;

	while (taken < STOPS_MOST && (tid = ptrace_wait(p, &status)) > 0) {
		taken++;
		ptrace_take(p, tid, status);
	}
	p->deserted = tid < 0 && errno == ECHILD;
	return taken;
}

bool sb_ptrace_turn(struct sb_ptrace *p, bool *ret_ended, int *ret_status)
{
	ptrace_turn_begins(p);
	unsigned taken = take_stops(p);
	if (p->ended) {
		*ret_status = p->status;
		*ret_ended = true;
	}
	return taken > 0;
}

bool sb_ptrace_any(const struct sb_ptrace *p)
{
	return !p->deserted;
}

size_t sb_ptrace_find(struct sb_ptrace *p, pid_t *pids, size_t cap)
{
	size_t count = sb_watch_running(p->watch, pids, cap);

	count = count < cap ? count : cap;
	sb_proc_add_children(pids, &count, cap);
	return count;
}

void sb_ptrace_finish(struct sb_ptrace *p)
{
	ptrace_tick_end(p);
	sb_log(SB_LOG_DEBUG, "%llu stops", p->stops);
	for (unsigned i = 0; i < PTRACE_BUCKETS; i++)
		while (p->pending[i])
			cut_pending(p, p->pending[i]->tid);
	sb_watch_finish(p->watch);
	sb_watch_free(p->watch);
	p->watch = NULL;
}

void sb_ptrace_serve(void *arg)
{
	struct sb_ptrace *p = arg;

	ptrace_tick(p, IDLE_SECONDS);
	while (!p->deserted) {
		ptrace_turn_begins(p);
		(void)take_stops(p);
	}
	sb_ptrace_free(p);
}
