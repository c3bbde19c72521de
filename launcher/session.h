/*
 * What the modes that show the payload as "/" have in common: what is to be seen, what is to be
 * executed, where. The mode itself only makes it visible.
 *
 * Order: launch_session_plan(), then the mode's own work, then launch_session_exec();
 * launch_session_free() where that returns, or at any time before. Starts as LAUNCH_SESSION_INIT.
 * Strings belong to the request, but for the operations and the start.
 */
#pragma once

#include <sys/types.h>

#include "common/buf.h"
#include "launcher/layer.h"
#include "launcher/mode.h"
#include "launcher/ops.h"

struct launch_session {
	struct launch_ops ops;
	struct sb_strings argv, environment;
	struct sb_buf start; /* the directory to start in, as the program sees it */
	struct sb_buf path;  /* PATH in the environment */
	const char *file;    /* what to execute, by the name that the program is told */
	mode_t mask;	     /* the caller's: until launch_session_exec() it is 0 */
	struct launch_places places;
	bool own_net; /* SIDEBUNDLE_NET=0 */
};

#define LAUNCH_SESSION_INIT                                                                  \
	{                                                                                    \
		{NULL, 0, 0}, {NULL, 0, 0}, {NULL, 0, 0}, SB_BUF_INIT, SB_BUF_INIT, NULL, 0, \
			{NULL, NULL, NULL, NULL}, false                                      \
	}

/* Of the caller's environment; NULL where it is not set. */
const char *launch_variable(const struct launch_request *request, const char *name);

/*
 * Appends what tells a view from others: the bundle, and not another one that has taken its name
 * since; and what the caller asks for.
 */
int launch_session_mark(const struct launch_request *request, struct sb_buf *ret,
			struct sb_err *err);
/* Only what is to be executed: for who shows nothing, and sets `start` itself. */
int launch_session_command(const struct launch_request *request, struct launch_session *ret,
			   struct sb_err *err);
int launch_session_plan(const struct launch_request *request, struct launch_session *ret,
			struct sb_err *err);
/* Goes to the start and becomes the program; returns as launch_mode.run does. */
int launch_session_exec(const struct launch_request *request, struct launch_session *session,
			struct sb_err *err);
void launch_session_free(struct launch_session *session);
