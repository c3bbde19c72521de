/*
 * What a traced run wrote: which paths it made itself, and which were there before it.
 *
 * Order: sb_writes_read(), then questions about real paths, sb_writes_free().
 */
#pragma once

#include <stdbool.h>

#include "common/buf.h"
#include "common/map.h"
#include "tracer/trace.h"

struct sb_writes {
	struct sb_map paths;	 /* real path; value: flags */
	struct sb_map came_from; /* a name that a rename gave -> the name before */
	struct sb_map links;	 /* a symlink that was made -> what it holds */
	struct sb_map names;	 /* interned */
};

#define SB_WRITES_INIT                                              \
	{                                                           \
		SB_MAP_INIT, SB_MAP_INIT, SB_MAP_INIT, SB_MAP_INIT, \
	}
#define auto_writes __attribute__((cleanup(sb_writes_free))) struct sb_writes

int sb_writes_read(struct sb_writes *writes, const struct sb_trace *trace, const char *root,
		   struct sb_err *err);
void sb_writes_free(struct sb_writes *writes);

/* It, or a directory above it, did not exist before the run. */
bool sb_writes_made(const struct sb_writes *writes, const char *real);
/* It was there before the run, and was written to, replaced or removed. */
bool sb_writes_changed(const struct sb_writes *writes, const char *real);

/* What the run itself had renamed to be `real`, or to be above it: by its name before, into *ret.
 * False: nothing that was there before the run. */
bool sb_writes_before(const struct sb_writes *writes, const char *real, struct sb_buf *ret);

/*
 * Where `path` leads through a symlink that the run made: the path behind the first of them, into
 * *ret. False: there is none, or nobody knows what it held.
 */
bool sb_writes_through(const struct sb_writes *writes, const char *root, const char *path,
		       struct sb_buf *ret);

/* Where an event's path leads: as the trace has it, else followed now. Into *ret. */
int sb_event_real(const struct sb_event *ev, const char *root, struct sb_buf *ret,
		  struct sb_err *err);

/*
 * The real directories that were written in and that were there before the run; none below
 * another, none below /proc and the like. Added to *ret as keys, sorted.
 */
int sb_writes_directories(const struct sb_writes *writes, struct sb_map *ret, struct sb_err *err);
