/*
 * Decides what the program sees of this machine: the caller's directories, /proc, /dev, the files
 * that every machine has its own of. Looks at both file systems and changes nothing.
 */
#pragma once

#include "common/buf.h"
#include "common/err.h"
#include "launcher/ops.h"
#include "launcher/plan.h"

struct launch_view {
	const char *bundle;  /* its path on this machine */
	const char *payload; /* likewise */
	const char *mark;    /* what LAUNCH_VIEW_MARK is to hold */
	const char *machine; /* "" for this one; elsewhere in tests */
	const struct launch_entry *entry;
	const struct launch_plan *plan;
	const char *bind;   /* SIDEBUNDLE_BIND: NULL, or words separated by ':' */
	const char *cwd;    /* NULL: the caller's directory is gone */
	const char *home;   /* NULL or empty: none */
	const char *tmpdir; /* likewise */
	bool kept;	    /* what is written is found again by the next run */
	const char *zone;   /* TZ: NULL or empty: none */
	const char *user;   /* a name for the caller, should the machine have none */
	uid_t uid;
	gid_t gid;
};

/* Adds to *ops; sets *ret_start to the directory to start in, a path inside the payload. */
int launch_view_plan(const struct launch_view *view, struct launch_ops *ops,
		     struct sb_buf *ret_start, struct sb_err *err);

/* In a view, a link that holds its mark (launch_session_mark()). */
#define LAUNCH_VIEW_MARK "/dev/.bundle"

/* The parts, in their order; each adds to *ops. */
int launch_view_devices(const struct launch_view *view, struct launch_ops *ops, struct sb_err *err);
int launch_view_files(const struct launch_view *view, struct launch_ops *ops, struct sb_err *err);
int launch_view_binds(const struct launch_view *view, struct launch_ops *ops, struct sb_err *err);

/*
 * Adds an operation on `dest`, followed inside the payload, with `source`, followed on this machine
 * where the kind is a bind. 1 added, 0 left out because the source is not there.
 */
int launch_view_add(const struct launch_view *view, struct launch_ops *ops,
		    const struct launch_op *op, struct sb_err *err);
