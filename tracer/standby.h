/*
 * A process that stands by for when we are gone: calls that wait for an answer from a listener that
 * nobody holds fail with ENOSYS, and the command is not to suffer from our end, however it comes.
 *
 * It has a session of its own, no open descriptors but the listener's and a pipe, no signal but
 * SIGKILL reaches it, and it sleeps until the pipe closes with our end. Then it lets every call go
 * on, until the last process under the filter has ended.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct sb_standby {
	pid_t pid; /* 0: none */
	int pipe;  /* -1: none */
	/* Shared with it: the last notice that was taken. Ended before it is answered, we leave it
	 * to nobody else's knowledge. */
	uint64_t *taken;
};

#define SB_STANDBY_INIT     \
	{                   \
		0, -1, NULL \
	}

/* 0 or -errno. */
int sb_standby_start(int listener, struct sb_standby *ret);
/* It takes over now. */
void sb_standby_leave(struct sb_standby *standby);
/* Nobody is left for it to answer. */
void sb_standby_end(struct sb_standby *standby);
