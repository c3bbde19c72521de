/*
 * How the trace file spells things, for others that print JSON lines of the same shape (show).
 */
#pragma once

#include <stdio.h>

#include "tracer/event.h"

/* A byte string: a JSON string where it is UTF-8, else {"hex": "..."}. */
void sb_json_string(FILE *out, const char *s);
/* One event as its line in the trace file, newline included. */
void sb_trace_print_event(FILE *out, const struct sb_event *ev);
