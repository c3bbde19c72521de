/*
 * What one trace has and another has not, by kind and real path, and why as far as that is known.
 *
 * A load counts as an open, and a search as an open that failed: backends that see only system
 * calls tell of them so. An outcome that is not known contradicts none. Of many processes that did
 * the same, the best outcome counts.
 */
#pragma once

#include <stdbool.h>

#include "common/err.h"
#include "common/map.h"
#include "tracer/trace.h"

/* Why one of the two did not see what the other saw. */
enum sb_diff_why {
	SB_DIFF_NOT_DONE,  /* the other could have seen it, and nobody did it there */
	SB_DIFF_OUTCOME,   /* both saw it, and it went differently */
	SB_DIFF_UNWATCHED, /* the other's backend does not watch such events */
	SB_DIFF_NOT_RUN,   /* the other's run had no such program */
	SB_DIFF_BLIND,	   /* the program is a blind spot of the other: see `blind` */
	SB_DIFF_TIMING,	   /* a name that changes with every run, or a process that came and went */
	SB_DIFF_INCOMPLETE, /* the other was cut short, or lost records */
	SB_DIFF_LIBC,	    /* libc or the dynamic linker by itself, below the functions watched */
	SB_DIFF_RAW,	    /* no function of libc was called for it */
	SB_DIFF_IO_URING,   /* no system call was made for it */
	SB_DIFF_WHY_COUNT
};

/* What one trace has on it. */
struct sb_diff_side {
	bool seen;
	int outcome; /* the best of all */
	uint64_t count;
	const char *const *programs; /* who, by real path where it is known; some of many */
	size_t program_count;
};

struct sb_diff_item {
	enum sb_kind kind; /* never load or search */
	const char *path;  /* real, or as it was named where that is not known */
	enum sb_diff_why why;
	enum sb_blind blind;
	struct sb_diff_side side[2];
};

struct sb_diff {
	struct sb_diff_item *items; /* sorted by path, then kind */
	size_t count, same;
	struct sb_diff_store *store;
};

/* `kinds`: bits of kinds; those that are compared as opens stand for each other. */
int sb_diff_traces(const struct sb_trace *a, const struct sb_trace *b, unsigned kinds,
		   struct sb_diff **ret, struct sb_err *err);
void sb_diff_free(struct sb_diff *diff);

/* "inside libc", "static program": as it is printed; into `ret` where it is put together. */
const char *sb_diff_why_name(const struct sb_diff_item *item, char *ret, size_t size);
