/*
 * Reads the launch plan (bundler/plan.h) and trusts nothing in it.
 *
 * Order: launch_plan_read() or launch_plan_parse(), launch_plan_find(), launch_plan_free(). All
 * strings point into the plan's own bytes and live until launch_plan_free().
 */
#pragma once

#include "common/err.h"
#include "common/strings.h"

struct launch_entry {
	const char *name;
	const char *exec;    /* never NULL */
	const char *interp;  /* NULL: static */
	const char *program; /* NULL: `exec` is no script */
	const char *cwd;     /* not NULL: replays a trace */
	struct sb_strings prefix, libs, args, env, writable;
};

struct launch_plan {
	const char *mode;		   /* never NULL */
	const char *kernel, *cpu;	   /* NULL: nothing needed */
	const char *home, *net;		   /* "no", or NULL */
	struct sb_strings binds, binds_at; /* as many of each */
	struct sb_strings set, private_dirs;
	struct launch_entry *entries;
	size_t count;
	char *bytes;
};

/* Of an allocated buffer, which the plan owns from here on, also where it fails. */
int launch_plan_parse(char *bytes, size_t len, struct launch_plan *ret, struct sb_err *err);
/* `bundle`/libexec/plan. */
int launch_plan_read(const char *bundle, struct launch_plan *ret, struct sb_err *err);
/* NULL: no such entry. */
const struct launch_entry *launch_plan_find(const struct launch_plan *plan, const char *name);
void launch_plan_free(struct launch_plan *plan);
