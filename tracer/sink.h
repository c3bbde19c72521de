/*
 * Where every backend delivers: the sink filters, merges, remembers, and writes the trace file, so
 * that all backends agree on it.
 *
 * Order: sb_sink_new() over a writer, sb_sink_hide() for what is our own, then processes, events
 * and blind spots in any order, sb_sink_done() for a process that will have no more events,
 * sb_sink_save() now and then, and sb_sink_finish(). What fails on the way (a full disk) is told
 * once, by sb_sink_finish(): the command is not to suffer from it.
 */
#pragma once

#include <stdbool.h>

#include "common/err.h"
#include "tracer/event.h"
#include "tracer/trace.h"

struct sb_sink;

struct sb_sink_spec {
	struct sb_trace_writer *writer; /* taken over */
	const char *backend;		/* static */
	/* Globs over path and real path, NULL-terminated or NULL; they outlive the sink. */
	const char *const *include, *const *exclude;
};

int sb_sink_new(const struct sb_sink_spec *spec, struct sb_sink **ret, struct sb_err *err);
void sb_sink_free(struct sb_sink *sink);

/* Nothing at or below `path` (absolute) is an event. */
void sb_sink_hide(struct sb_sink *sink, const char *path);
/* Whether it is hidden by this very name: for who would look at it for nothing. */
bool sb_sink_hides(const struct sb_sink *sink, const char *path);
void sb_sink_process(struct sb_sink *sink, const struct sb_trace_process *p);
/*
 * A `backend` of NULL becomes the sink's; one that is given is static. What several saw stands
 * once, as the first one's. Strings are copied.
 */
void sb_sink_event(struct sb_sink *sink, const struct sb_event *ev);
/* A write that worked found its file there (or not). The first answer for a real path stands. */
void sb_sink_existed(struct sb_sink *sink, const char *real, enum sb_tri existed);
/* No more events of this process: its table is written and given back. */
void sb_sink_done(struct sb_sink *sink, uint32_t process);
/*
 * Writes what has no line yet, and all of it to the file: should we be killed, only how often it
 * was done since is not told.
 */
void sb_sink_save(struct sb_sink *sink);
void sb_sink_blind(struct sb_sink *sink, enum sb_blind blind, const char *path, uint64_t count);
void sb_sink_lost(struct sb_sink *sink, uint64_t count);

/* What the run came to; strings live until sb_sink_free(). */
struct sb_sink_summary {
	uint64_t lost;
	const struct sb_trace_blind *blind;
	size_t blind_count;
};

/* Writes what is left, the files' identities and the closing line. `status` is a wait status. */
int sb_sink_finish(struct sb_sink *sink, int status, struct sb_sink_summary *ret,
		   struct sb_err *err);
