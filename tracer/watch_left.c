/* Who is left: those that went without a word, and those that live on. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tracer/watch_private.h"

/* How often those are looked for that went without a word. */
#define SWEEP_SECONDS 1.0

/* A leader that has ended stays a zombie while its threads live on. */
static bool runs(const struct watch_thread *t)
{
	char name[32];
	struct stat st;

	if (t->tid != t->process->pid)
		return kill(t->tid, 0) == 0 || errno != ESRCH;
	if (sb_proc_runs(t->tid, t->process->started))
		return true;
	(void)snprintf(name, sizeof name, "/proc/%d/task", (int)t->tid);
	/* Each thread is a link of its own. */
	return t->process->threads > 1 && stat(name, &st) == 0 && st.st_nlink > 3;
}

static void sweep(struct sb_watch *w)
{
	for (unsigned i = 0; i < WATCH_BUCKETS; i++)
		for (struct watch_thread *t = w->threads[i]; t;) {
			if (runs(t)) {
				t = t->next;
				continue;
			}
			/* An exec that comes to light by it may take others off. */
			sb_watch_gone(w, t->tid);
			t = w->threads[i];
		}
	w->swept = watch_now();
}

void sb_watch_sweep(struct sb_watch *w)
{
	if (watch_now() - w->swept > SWEEP_SECONDS)
		sweep(w);
}

size_t sb_watch_running(struct sb_watch *w, pid_t *pids, size_t cap)
{
	size_t n = 0;

	sweep(w);
	for (unsigned i = 0; i < WATCH_BUCKETS; i++)
		for (const struct watch_process *p = w->processes[i]; p; p = p->next) {
			if (n < cap)
				pids[n] = p->pid;
			n++;
		}
	return n;
}

/* Somebody whose last call is still open; settling one may take others off the table. */
static struct watch_thread *unsettled(const struct sb_watch *w)
{
	for (unsigned i = 0; i < WATCH_BUCKETS; i++)
		for (struct watch_thread *t = w->threads[i]; t; t = t->next)
			if (t->later || (t->exec && t->exec->guessed))
				return t;
	return NULL;
}

void sb_watch_finish(struct sb_watch *w)
{
	w->moment++;
	for (struct watch_thread *t = unsettled(w); t; t = unsettled(w))
		watch_settle(w, t);
	sweep(w);
	for (unsigned i = 0; i < WATCH_BUCKETS; i++)
		for (const struct watch_process *p = w->processes[i]; p; p = p->next)
			sb_sink_blind(w->spec.sink, SB_BLIND_OUTLIVED, p->exe, 1);
}
