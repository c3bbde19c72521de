/*
 * A run mode: one way of making the payload visible to the program.
 */
#pragma once

#include <stdbool.h>

#include "common/err.h"
#include "launcher/plan.h"

struct launch_request {
	const char *bundle, *payload; /* real paths on this machine */
	const struct launch_plan *plan;
	const struct launch_entry *entry;
	char *const *argv; /* main's own */
	char *const *environment;
	const char *cwd; /* NULL: the caller's directory is gone */
};

struct launch_mode {
	const char *name;
	/* 0: works here; else why not, and the remedy. Changes nothing. NULL: works everywhere. */
	int (*probe)(struct sb_err *err);
	/*
	 * Becomes the program. Returns only when it cannot: -errno, with LAUNCH_NOT_FOUND or
	 * LAUNCH_NOT_RUNNABLE in *err's code where that is the program's own fault.
	 */
	int (*run)(const struct launch_request *request, struct sb_err *err);
};

/* Codes beside those of common/err.h; the line says it all. */
enum { LAUNCH_NOT_FOUND = SB_ESAID + 100, LAUNCH_NOT_RUNNABLE };

extern const struct launch_mode launch_mode_namespace, launch_mode_bwrap, launch_mode_chroot,
	launch_mode_host;
/* What is taken in place of the other modes where launch_is_inside(); none to ask for. */
extern const struct launch_mode launch_mode_inside;

/*
 * Whether "/" is a view already that this bundle's launcher made, as the caller asks for it: a
 * program that starts itself by the name it was started by then finds what it wrote.
 */
bool launch_is_inside(const struct launch_request *request);

/*
 * The mode of that name, or for "auto" the stricter of namespace and host that works here.
 * *ret_why, where there is something to say, tells why not a stricter one.
 */
int launch_mode_choose(const char *name, const struct launch_mode **ret, struct sb_err *ret_why,
		       struct sb_err *err);

/* execve, and what its failure means. `seen` is the path as the user knows it. */
int launch_exec(const char *path, const char *seen, char *const *argv, char *const *environment,
		struct sb_err *err);
