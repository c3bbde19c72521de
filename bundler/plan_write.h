/* The launch plan as bytes, for the launcher to read: bundler/plan.h tells its form. */
#pragma once

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"

/* Lists end with NULL; a list or string that is NULL has nothing to say. */
struct sb_plan_entry {
	const char *name, *exec, *interp, *program;
	const char *const *prefix, *const *libs;
	const char *const *argv, *const *env;
	const char *cwd;
	const char *const *writable;
};

struct sb_plan {
	const char *mode;
	const char *kernel, *cpu;		    /* what the programs need */
	const char *const *binds, *const *binds_at; /* of the same length */
	const char *const *private_dirs;
	bool no_home, no_net;
	const char *const *set;
	const struct sb_plan_entry *entries;
	size_t count;
};

/* Appends to *ret. Fails where a launcher would refuse it: more than SB_PLAN_MAX. */
int sb_plan_write(const struct sb_plan *plan, struct sb_buf *ret, struct sb_err *err);
