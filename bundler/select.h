/*
 * From a trace to a payload: what the traced run used is added to a file set, and what does not
 * belong there is left out, with a remark.
 */
#pragma once

#include <stdbool.h>

#include "bundler/fileset.h"
#include "bundler/remark.h"
#include "tracer/trace.h"

/* Lists end with NULL; globs are absolute, or begin with two stars. */
struct sb_rules {
	const char *const *include; /* wins over everything but `exclude` */
	const char *const *exclude;
	/* Real paths that are our own doing (traces, the bundle to be): no part of a listed
	 * directory. */
	const char *const *own;
	bool allow_gpu, allow_secrets;
};

/* Whether a glob of the list matches `path` or a directory above it; the glob, NULL for none. */
const char *sb_globs_match(const char *const *globs, const char *path);

/*
 * Adds what `trace` saw. Events of paths that are not there any more, that changed, that may not be
 * bundled are remarked upon. `exclude`, GPU libraries and secrets are for sb_select_prune().
 * `replay`: the directory that it was taken in belongs to it; else it is whoever's made the bundle,
 * and what the program saw of that by listing it is none of its own.
 */
int sb_select_trace(struct sb_fileset *set, const struct sb_trace *trace, bool replay,
		    const struct sb_rules *rules, struct sb_remarks *remarks, struct sb_err *err);

/* Adds the files of this machine that the `include` globs match, all below a directory too. */
int sb_select_include(struct sb_fileset *set, const struct sb_rules *rules,
		      struct sb_remarks *remarks, struct sb_err *err);

/* Adds the tree `source` as `dest`. */
int sb_select_tree(struct sb_fileset *set, const char *source, const char *dest,
		   struct sb_remarks *remarks, struct sb_err *err);

/* Last: takes out what `exclude` names, GPU libraries, and secrets. */
int sb_select_prune(struct sb_fileset *set, const struct sb_rules *rules,
		    struct sb_remarks *remarks, struct sb_err *err);
