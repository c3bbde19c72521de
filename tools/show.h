/*
 * The two views of a trace that are made for people.
 */
#pragma once

#include <stdbool.h>

#include "common/err.h"
#include "tracer/trace.h"

/* Events whose kind's bit is in `kinds`; `failed`: only those that did. To stdout. */
int sb_show_table(const struct sb_trace *t, unsigned kinds, bool failed, struct sb_err *err);
/* Processes, each below the one that started it. To stdout. */
int sb_show_tree(const struct sb_trace *t, struct sb_err *err);
