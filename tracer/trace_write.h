/*
 * How the trace file spells things, for others that print JSON lines of the same shape (show).
 */
#pragma once

#include "common/json.h"
#include "tracer/event.h"

/* The members of an event's line in the trace file; the object is open. */
void sb_trace_event_json(struct sb_json *json, const struct sb_event *ev);
