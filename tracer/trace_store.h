/*
 * A trace while it is read: what owns its strings, and adds up what stands more than once.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tracer/trace.h"

/* NULL when out of memory. Released by sb_trace_free(). */
struct sb_trace *sb_store_new(void);
/* Zeroed, and lasting as long as the trace; NULL when out of memory. */
void *sb_store_keep(struct sb_trace *t, size_t size);
/* The string's lasting copy: equal strings, equal pointers. NULL when out of memory. */
const char *sb_store_intern(struct sb_trace *t, const char *s);

/* The index of the process with this id in the file, made where it is new. 0, or -ENOMEM. */
int sb_store_process(struct sb_trace *t, uint32_t id, uint32_t *ret_index);
/* Sets what that process is. 0, or -EEXIST where it was told before. */
int sb_store_describe(struct sb_trace *t, const struct sb_trace_process *p);
/* Strings are interned. 0, or -ENOMEM. */
int sb_store_event(struct sb_trace *t, const struct sb_event *ev);
int sb_store_file(struct sb_trace *t, const struct sb_trace_file *f);
