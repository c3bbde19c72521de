/* What the parts of the comparison share; for tracer/diff*.c alone. */
#pragma once

#include "common/buf.h"
#include "tracer/diff.h"

/* How well one trace could see a process of the other; the best of several counts. */
enum diff_rank {
	DIFF_NOT_RUN, /* no such program ran there */
	DIFF_BLIND,   /* it ran, and was not seen into */
	DIFF_PARTLY,  /* some of what it did may be missing */
	DIFF_WATCHED,
};

struct diff_view {
	enum diff_rank rank;
	enum sb_blind blind; /* DIFF_BLIND, DIFF_PARTLY */
	const char *program; /* NULL where not known */
};

/*
 * For each process of `t`: its program, and how `other` saw it. Strings live in `names`. The
 * caller frees *ret.
 */
int diff_look(const struct sb_trace *t, const struct sb_trace *other, struct sb_map *names,
	      struct diff_view **ret, struct sb_err *err);

/* What a backend can tell, as far as it explains what is missing. */
struct diff_sight {
	unsigned kinds; /* bits of what it watches */
	bool failures;	/* attempts that failed, too */
	bool symbols;	/* functions of libc, not system calls */
	bool files;	/* what happens to files, whoever asked for it */
};
struct diff_sight diff_sight_of(const struct sb_trace *t);

/* Opened by libc or the dynamic linker without being asked for by that name. */
bool diff_is_libc(const char *path);
/* The path with what changes from run to run taken out: numbers, random letters. 0, or -ENOMEM. */
int diff_skeleton(const char *path, struct sb_buf *ret);
/* Names a process by its number. */
bool diff_is_process(const char *path);
