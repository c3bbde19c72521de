/*
 * What --from-trace asks for: each command of each trace becomes an entry; the runs of one command
 * that a merged trace holds become one.
 *
 * Order: sb_create_replays_read() for each argument, use, sb_create_replays_free().
 */
#pragma once

#include "common/err.h"
#include "tracer/trace.h"
#include "tracer/trace_split.h"

/* A trace file as it was read. */
struct sb_create_source {
	char *file;
	struct sb_trace *trace;
	struct sb_trace_parts parts;
};

struct sb_create_replay {
	char *name;
	const char *file;
	const struct sb_trace **runs; /* of this command, in the source's parts */
	size_t run_count;
};

struct sb_create_replays {
	struct sb_create_source *sources;
	size_t source_count;
	struct sb_create_replay *items;
	size_t count;
};

/*
 * FILE[::entry=NAME]...: one name for each command, in their order; without any, each is called as
 * its program. Appends; what was appended before a failure is freed with the rest.
 */
int sb_create_replays_read(struct sb_create_replays *replays, const char *arg, struct sb_err *err);
void sb_create_replays_free(struct sb_create_replays *replays);
