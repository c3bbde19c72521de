/*
 * Seccomp user notification: a command under a filter whose listener is ours, and a standby that
 * answers when we are gone.
 *
 * Order: sb_notify_new(), sb_notify_hooks() into the child, sb_child_start() (which serves the
 * first notices already), then sb_notify_wait() again and again; sb_notify_free(). Each notice goes
 * to `serve`, the call goes on as soon as that returns, and `served` does the rest: nothing is ever
 * changed or refused here. What runs on when all is freed is answered by the standby, to its end.
 *
 * Works from Linux 5.5 (SECCOMP_USER_NOTIF_FLAG_CONTINUE).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "tracer/child.h"
#include "tracer/decode.h"
#include "tracer/filter.h"

struct sb_notify;

struct sb_notice {
	uint64_t id;
	pid_t tid;     /* as we number it */
	uint64_t from; /* the instruction behind the call's */
	struct sb_call call;
};

struct sb_notify_spec {
	int trace; /* descriptor of the trace, where it is noted that we were killed; -1: nowhere */
	const struct sb_filter *filter; /* outlives the start of the command */
	/* The command's process, before anything is heard of it; -errno: it is not to be. */
	int (*born)(void *arg, pid_t pid, struct sb_err *err);
	/*
	 * A call that waits: all that must be known before it goes on. Then, once it does: `valid`
	 * where it still waited till then. If not, what was read of its memory and its /proc was
	 * maybe somebody else's, who has got its number.
	 */
	void (*serve)(void *arg, const struct sb_notice *notice);
	void (*served)(void *arg, const struct sb_notice *notice, bool valid);
	void *arg;
};

int sb_notify_new(const struct sb_notify_spec *spec, struct sb_notify **ret, struct sb_err *err);
void sb_notify_free(struct sb_notify *n);
const struct sb_child_hooks *sb_notify_hooks(const struct sb_notify *n);

/*
 * Waits at most so long, and serves at most one notice. 1: it did; 0: the time is up, or a signal
 * of sb_child_signals() is pending.
 */
int sb_notify_wait(struct sb_notify *n, double seconds);
/* Every process under the filter has ended. */
bool sb_notify_deserted(const struct sb_notify *n);
/* The command runs under no_new_privs: set-id programs do not get their privilege. */
bool sb_notify_unprivileged(const struct sb_notify *n);

/*
 * Tries it in a child, reading its memory too: paths come from there. Fails with the reason and the
 * remedy. `who` is the backend that asks.
 */
int sb_notify_probe(const char *who, struct sb_err *err);
/*
 * Where it works: 0, or why ptrace is better here. Before Linux 5.19 a signal takes a call back
 * that waits for us, and it is made again: told twice, and with a program that is sent signals all
 * the time (Go's, by its own scheduler) for ever.
 */
int sb_notify_doubt(struct sb_err *err);
