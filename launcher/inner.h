/*
 * The launcher once more, inside of the view that another program made: it tells the outer one that
 * it is there, and becomes the program with the arguments, environment, directory and descriptors
 * that are meant, whatever that program made of them.
 *
 * Outside: launch_inner_pack() makes the message for a memory file; the program in between is to
 * execute /proc/self/fd/N (an open descriptor of the launcher's file) with the arguments
 * LAUNCH_INNER_WORD and the number of the memory file's descriptor. Inside: main() asks
 * launch_inner_fd(), and calls launch_inner_run(). Then the outer one gets the pid of the inner one
 * (a pid_t) over the socket, and answers with its own once the program in between is gone.
 */
#pragma once

#include "common/buf.h"
#include "common/err.h"
#include "launcher/reaper.h"
#include "launcher/session.h"

#define LAUNCH_INNER_WORD "sidebundle-inner"

/* Descriptors, as the inner one has them; -1: none. They are closed before the program starts. */
struct launch_inner {
	int self;   /* the launcher's own file */
	int socket; /* to the outer one */
	int said;   /* the program's stderr: in between, it is somebody else's */
	struct launch_reaper reaper;
	const char *watch;    /* what the reaper watches: a mount of the view */
	bool ignore_children; /* SIGCHLD was ignored */
};

int launch_inner_pack(const struct launch_inner *inner, const struct launch_request *request,
		      const struct launch_session *session, struct sb_buf *ret, struct sb_err *err);

/* The memory file's descriptor, or -1: this is no inner launcher. `execfn` as in bundle.h. */
int launch_inner_fd(const char *execfn, char *const *argv);
/* Becomes the program; returns as launch_mode.run does. */
int launch_inner_run(int fd, struct sb_err *err);
