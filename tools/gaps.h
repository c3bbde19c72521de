/* What a trace does not tell, told to the user. */
#pragma once

#include "tracer/trace.h"

/* Cut short, records lost: warnings. Blind spots: at level info. `path` is the trace's file. */
void sb_warn_gaps(const struct sb_trace *trace, const char *path);
