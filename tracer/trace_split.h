/*
 * A trace as one for each of its commands: what is made for a single run takes a merged trace so.
 *
 * The parts point into the trace, which outlives them. Blind spots and lost records, of which a
 * merged trace does not tell whose they were, are the first part's.
 */
#pragma once

#include "tracer/trace.h"

struct sb_trace_parts {
	struct sb_trace *items; /* as many as the trace has commands */
	size_t count;
};

#define SB_TRACE_PARTS_INIT \
	{                   \
		NULL, 0     \
	}
#define auto_trace_parts __attribute__((cleanup(sb_trace_parts_free))) struct sb_trace_parts

int sb_trace_split(const struct sb_trace *trace, struct sb_trace_parts *ret, struct sb_err *err);
void sb_trace_parts_free(struct sb_trace_parts *parts);
