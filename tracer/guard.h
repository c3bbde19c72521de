/*
 * The kernel's word on what the command does: a listener (tracer/notify.h) whose notices go to the
 * watch (tracer/watch.h).
 *
 * Order: sb_guard_new(), sb_guard_start(), then sb_guard_turn(), _any() and _find() in a struct
 * sb_tend; sb_guard_finish(), sb_guard_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"
#include "tracer/backend.h"
#include "tracer/decode.h"
#include "tracer/opening.h"
#include "tracer/sink.h"
#include "tracer/watch.h"

struct sb_guard;

struct sb_guard_spec {
	const struct sb_trace_spec *trace;
	struct sb_sink *sink;
	const char *backend; /* static: whose its events are */
	/*
	 * Where others tell of the same processes (the modules, in hybrid): that the calls which
	 * they make pass untold, what is to be done before a call is looked at, and that a process
	 * will not be heard of here any more. False and NULL else.
	 */
	bool let_pass;
	/* A call of theirs that names nothing; NULL: there is none. Copied. */
	const struct sb_quiet *quiet;
	/* A file of ours, by the name that the dynamic linker opens it by: to open it is no event,
	 * and no sign of anything. NULL: none. */
	const char *module;
	/* Where that can be told without being asked: then most of it is not told. Copied. */
	const struct sb_opening *opening;
	void (*ahead)(void *arg, const struct sb_call *call);
	void (*done)(void *arg, uint32_t number);
	void *arg;
};

int sb_guard_new(const struct sb_guard_spec *spec, struct sb_guard **ret, struct sb_err *err);
void sb_guard_free(struct sb_guard *g);

/* Starts the command; -errno of execve where that failed. */
int sb_guard_start(struct sb_guard *g, char *const *envp, struct sb_err *err);
/* Waits at most so long, and takes in what there is. 1: the command has ended, with *ret_status. */
int sb_guard_turn(struct sb_guard *g, double seconds, int *ret_status);
bool sb_guard_any(struct sb_guard *g);
size_t sb_guard_find(struct sb_guard *g, pid_t *pids, size_t cap);
/* As sb_watch_image(), _stale() and _passes(), of the guard's watch. */
uint32_t sb_guard_image(struct sb_guard *g, const struct sb_watch_image *image);
void sb_guard_stale(struct sb_guard *g);
void sb_guard_passes(struct sb_guard *g, uint64_t count);
void sb_guard_finish(struct sb_guard *g);
