/*
 * One way of watching processes. Order: probe (any time), run.
 *
 * A backend starts the command itself, as a child of the caller, and delivers to a sink; the sink
 * (tracer/sink.h) owns dedupe, real paths and the trace file, so that all backends agree on them.
 */
#pragma once

#include "common/buf.h"
#include "common/err.h"
#include "tracer/event.h"

struct sb_sink;
struct sb_child;
struct sb_afterlife;

struct sb_trace_spec {
	char *const *argv; /* command, NULL-terminated */
	char *const *envp;
	const char *libexec;	/* where our modules are */
	int wait_all;		/* wait for processes that outlive the command */
	double timeout;		/* seconds; 0 none; the whole tree is killed */
	int apart;		/* stdin is /dev/null, the command's output is our stderr */
	int allow_uring;	/* leave io_uring to the command; else it fails with ENOSYS */
	const char *program;	/* argv[0] as it was found, absolute */
	int trace;		/* descriptor of the trace, for who stays when we are killed */
	struct sb_child *child; /* prepared; the backend starts it */
	/* Of a backend that `stays`: what run() leaves to be done; NULL for the others. */
	struct sb_afterlife *after;
};

struct sb_backend {
	const char *name;		  /* --trace-backend value, unique */
	const char *summary;		  /* one line of help */
	const char *needs;		  /* in a few words; NULL: nothing of the machine */
	int (*probe)(struct sb_err *err); /* 0: usable here; else why not, and the remedy */
	/* Where it is usable: 0, or why `auto` is to try the next one first. NULL: never. */
	int (*doubt)(struct sb_err *err);
	/* Who outlives the command cannot be left alone: see tracer/apart.h. */
	int stays;
	/*
	 * Runs the command to its end. *ret_status is its wait status, -1 where it never ran.
	 * -ETIME: its time was up and it was killed. Where it never ran: -errno of execve.
	 */
	int (*run)(const struct sb_trace_spec *spec, struct sb_sink *sink, int *ret_status,
		   struct sb_err *err);
};

extern const struct sb_backend *const sb_backends[]; /* NULL-terminated */

/* What `auto` tries, in this order: the most complete first, the cheaper one of two that are. */
#define SB_AUTO_MOST 8
/* Fills `ret`, NULL-terminated. Who is in doubt on this machine comes after the next one. */
void sb_backend_auto(const struct sb_backend *ret[SB_AUTO_MOST]);

/* NULL where there is none of that name. */
const struct sb_backend *sb_backend_find(const char *name);
/*
 * The backend of that name, if it works here; a named one never becomes another. For "auto" the
 * first that works; *ret_why (emptied first) gets a line that says why not a better one, and stays
 * empty where it is the best.
 */
int sb_backend_choose(const char *name, const struct sb_backend **ret, struct sb_buf *ret_why,
		      struct sb_err *err);
