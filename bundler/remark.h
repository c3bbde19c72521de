/*
 * What the user should know about a bundle: warnings, and what was left out of it on purpose.
 *
 * Collected while a bundle is made, in any order; the tool prints them. Each (kind, path, detail)
 * stands once. Strings are copied.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/map.h"

/* Names and lines for people: sb_remark_text(). */
enum sb_remark_kind {
	/* warnings; all of them fail a strict create */
	SB_REMARK_CHANGED,    /* is not what the trace saw */
	SB_REMARK_REWRITTEN,  /* the traced run changed it: taken as it is now */
	SB_REMARK_GONE,	      /* the trace saw it, and it is there no more */
	SB_REMARK_UNREADABLE, /* may not be read */
	SB_REMARK_SPECIAL,    /* fifo, socket or device */
	SB_REMARK_LONG,	      /* its name has more bytes than the kernel takes at once */
	SB_REMARK_SETID,      /* its set-id bits were dropped */
	SB_REMARK_SECRET,     /* left out */
	SB_REMARK_GPU,	      /* left out; detail: who loads it */
	SB_REMARK_MISSING,    /* a library that was not found; detail: who needs it */
	SB_REMARK_ODD,	      /* executed, and cannot be read as a program; detail: why */
	SB_REMARK_UNMATCHED,  /* a glob that nothing matched */
	SB_REMARK_RUN,	      /* a run for ::trace= that failed; detail: how */
	SB_REMARK_TRACE,      /* a trace that is not whole; detail: how */
	SB_REMARK_BLIND,      /* a program that was not seen into; detail: why */
	SB_REMARK_STATIC,     /* host mode cannot redirect what it looks up */
	SB_REMARK_LINKER,     /* host mode has to run it through its dynamic linker */
	SB_REMARK_WARNINGS,
	/* left out, as expected */
	SB_REMARK_MADE = SB_REMARK_WARNINGS, /* did not exist before the run */
	SB_REMARK_SYSTEM,		     /* below /proc, /sys, /dev, /run */
	SB_REMARK_TARGET,		     /* the target provides it */
	SB_REMARK_EXCLUDED,		     /* --exclude */
	SB_REMARK_SUGGESTED, /* a suggested dlopen note; detail: by whom, for what */
	SB_REMARK_COUNT
};

struct sb_remark {
	enum sb_remark_kind kind;
	const char *path, *detail; /* detail may be NULL */
};

struct sb_remarks {
	struct sb_remark *items;
	size_t count, cap;
	struct sb_map seen, strings;
};

#define SB_REMARKS_INIT                              \
	{                                            \
		NULL, 0, 0, SB_MAP_INIT, SB_MAP_INIT \
	}
#define auto_remarks __attribute__((cleanup(sb_remarks_free))) struct sb_remarks

/* 0, or -ENOMEM. */
int sb_remark(struct sb_remarks *remarks, enum sb_remark_kind kind, const char *path,
	      const char *detail);
size_t sb_remarks_count(const struct sb_remarks *remarks, enum sb_remark_kind kind);
size_t sb_remarks_warnings(const struct sb_remarks *remarks);
/* Whether something that the user may miss is not in the bundle because of it. */
bool sb_remark_leaves_out(enum sb_remark_kind kind);
/* "secret": one word for the manifest. */
const char *sb_remark_name(enum sb_remark_kind kind);
/* "may hold a secret, left out (--allow-secrets takes it)" */
const char *sb_remark_text(enum sb_remark_kind kind);
void sb_remarks_free(struct sb_remarks *remarks);
