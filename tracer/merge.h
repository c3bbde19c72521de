/*
 * Many traces as one: the shards of a test suite, from one machine or several.
 *
 * Processes are renumbered, commands kept side by side, blind spots and lost records added up.
 * Where outcomes differ, both stand, since they are of different processes; where files of one name
 * do, each stands once.
 */
#pragma once

#include "common/map.h"
#include "tracer/trace.h"

struct sb_merge_summary {
	size_t commands;
	struct sb_map conflicts; /* real paths of files that were not the same everywhere */
};

/* Writes to `output`, which appears when it is complete. At least one trace. */
int sb_trace_merge(const struct sb_trace *const *traces, size_t count, const char *output,
		   struct sb_merge_summary *ret, struct sb_err *err);
void sb_merge_summary_free(struct sb_merge_summary *summary);
