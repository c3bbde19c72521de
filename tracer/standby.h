/*
 * A process that stands by for when we are gone: calls that wait for an answer from a listener that
 * nobody holds fail with ENOSYS, and the command is not to suffer from our end, however it comes.
 *
 * It has a session of its own, no open descriptors but the listener's, a pipe, the trace's and
 * standard error, no signal but SIGKILL reaches it, and it sleeps until the pipe closes with our
 * end. Then it lets every call go on, until the last process under the filter has ended, and holds
 * nothing else open. Where we were killed, it says so in the trace, and to the user.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct sb_standby {
	pid_t pid; /* 0: none */
	int pipe;  /* -1: none */
	struct sb_standby_shared *shared;
};

/* Memory that both have. */
struct sb_standby_shared {
	/* The last notice that was taken: killed before it is answered, we leave it to nobody
	 * else's knowledge. */
	uint64_t taken;
	bool left; /* by sb_standby_leave() */
};

#define SB_STANDBY_INIT     \
	{                   \
		0, -1, NULL \
	}

/* 0 or -errno. `trace`: where it notes that we were killed (tracer/trace.h); -1 nowhere. */
int sb_standby_start(int listener, int trace, struct sb_standby *ret);
/* It takes over now, as agreed: the trace is complete, or of no use. */
void sb_standby_leave(struct sb_standby *standby);
/* Nobody is left for it to answer. */
void sb_standby_end(struct sb_standby *standby);
