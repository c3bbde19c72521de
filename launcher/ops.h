/*
 * What the program is to see, as a list of operations that exists before anything is mounted.
 *
 * A list starts zeroed; launch_ops_free() ends it. Strings are copied. `dest` is a path inside the
 * payload without symlinks; `source` is a path of this machine without symlinks, but where a row
 * says otherwise. Operations up to LAUNCH_COPY are carried out in the writable layer before it is
 * mounted; the others are mounts, in the order of the list, and so is what lies in a LAUNCH_TMPFS.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

enum launch_op_kind {
	LAUNCH_DIR,  /* a directory that the program may write to, made with `mode` where missing */
	LAUNCH_FILE, /* an empty file to mount over, where the payload has none */
	LAUNCH_TEXT, /* a file that holds `source` */
	LAUNCH_LINK, /* a symlink that holds `source`, where there is nothing */
	LAUNCH_COPY, /* a directory of the payload that the program has to own: all that is in it */
	LAUNCH_BIND, /* `source` and what is mounted below it */
	LAUNCH_SHOW, /* the same, read-only */
	LAUNCH_PROC,
	LAUNCH_PTS,   /* terminals of our own */
	LAUNCH_TMPFS, /* empty, and gone with the namespace */
};

struct launch_op {
	enum launch_op_kind kind;
	bool optional; /* a refusal is no failure */
	bool point; /* nothing but a place to mount on, or a link: one of many, and not written to
		     */
	bool exact; /* a LAUNCH_DIR that has `mode` where the payload has it, too */
	mode_t mode;
	char *source;
	char *dest;
};

struct launch_ops {
	struct launch_op *items;
	size_t count, cap;
};

/* 0, or -ENOMEM with *err set. `source` may be NULL. */
int launch_ops_add(struct launch_ops *ops, const struct launch_op *op, struct sb_err *err);
/* Whether a LAUNCH_TMPFS of the list hides what the payload has at `path`. */
bool launch_ops_hide(const struct launch_ops *ops, const char *path);
/* Whether operation `i` is carried out after the layer is mounted. */
bool launch_ops_is_late(const struct launch_ops *ops, size_t i);
/* The last bind of the list that shows what this machine has at `path`; NULL if none does. */
const struct launch_op *launch_ops_covering(const struct launch_ops *ops, const char *path);
void launch_ops_free(struct launch_ops *ops);
