/*
 * Waiting for stops. wait4() alone tells of them without a second call for each; but only a signal
 * ends it where none comes, and one that came just before would be slept through. So a timer
 * ticks, and others' signals, blocked throughout, are looked at with each tick.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "tracer/ptrace_private.h"

/* Nobody sends it to us, and one that comes when nobody waits for it does no harm. */
#define TICK SIGURG

static volatile sig_atomic_t ticked;

static void on_tick(int sig)
{
	(void)sig;
	ticked = 1;
}

static struct timespec timespec_of(double seconds)
{
	return (struct timespec){.tv_sec = (time_t)seconds,
				 .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
}

/* False: this machine grants no timer (RLIMIT_SIGPENDING). */
static bool make_timer(struct sb_ptrace *p)
{
	/* Without SA_RESTART: a wait is to be ended. */
	struct sigaction action = {.sa_handler = on_tick};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = TICK};
	sigset_t tick;

	sigemptyset(&tick);
	sigaddset(&tick, TICK);
	return sigaction(TICK, &action, NULL) == 0 && sigprocmask(SIG_UNBLOCK, &tick, NULL) == 0 &&
	       timer_create(CLOCK_MONOTONIC, &event, &p->timer) == 0;
}

void ptrace_tick(struct sb_ptrace *p, double seconds)
{
	struct itimerspec every = {.it_interval = timespec_of(seconds)};

	every.it_value = every.it_interval;
	p->timed = p->timed || make_timer(p);
	p->patience = every.it_interval;
	if (p->timed)
		(void)timer_settime(p->timer, 0, &every, NULL);
}

void ptrace_tick_end(struct sb_ptrace *p)
{
	if (p->timed)
		(void)timer_delete(p->timer);
	p->timed = false;
}

/* What others sent to us; and SIGCHLD, where that is what tells of stops. */
static bool take_signals(struct sb_ptrace *p, bool child, const struct timespec *patience)
{
	static const struct timespec now;
	siginfo_t info;
	sigset_t set;
	int sig;

	sb_child_signals(&set);
	if (child)
		sigaddset(&set, SIGCHLD);
	while ((sig = sigtimedwait(&set, &info, patience)) > 0 && sig != SIGCHLD) {
		if (p->watch)
			sb_child_signalled(p->spec.trace->child, sig, info.si_code);
		patience = &now;
	}
	return sig == SIGCHLD;
}

void ptrace_turn_begins(struct sb_ptrace *p)
{
	static const struct timespec now;

	(void)take_signals(p, false, &now);
	ticked = 0;
}

pid_t ptrace_wait(struct sb_ptrace *p, int *ret_status)
{
	pid_t tid;

	if (p->timed)
		return ticked ? 0 : waitpid(-1, ret_status, __WALL);
	/* A stop's signal may be one that was taken in already. */
	do
		tid = waitpid(-1, ret_status, __WALL | WNOHANG);
	while (tid == 0 && take_signals(p, true, &p->patience));
	return tid;
}
