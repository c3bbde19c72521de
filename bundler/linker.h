/*
 * A dynamic linker, and what is built into it: which libc's it is, the directories that it looks in
 * last, the name of its cache, what $LIB stands for. Distributions differ in all of these, so they
 * are read from the strings of the linker itself; where it cannot be read, the machine's usual
 * ones are taken.
 */
#pragma once

#include <stdbool.h>

#include "bundler/arch.h"
#include "common/err.h"
#include "common/map.h"

enum sb_libc { SB_LIBC_GLIBC, SB_LIBC_MUSL };

struct sb_linker {
	enum sb_libc libc;
	const char *path;	   /* as PT_INTERP names it */
	const char *real;	   /* NULL: not there */
	struct sb_map system_dirs; /* in order; for musl: of its path file, or the usual ones */
	const char *cache;	   /* NULL: it has none */
	const char *lib;	   /* $LIB */
	bool legacy_hwcaps;	   /* glibc before 2.37: subdirectories by hardware, of old */
	struct sb_map strings;
};

/* Never fails for what the linker is, only for memory. `arch` may be NULL. */
int sb_linker_read(const char *root, const char *path, const struct sb_arch *arch,
		   struct sb_linker **ret, struct sb_err *err);
void sb_linker_free(struct sb_linker *linker);

/* What glibc's strings tell; for tests. Leaves the members as they are where they tell nothing. */
int sb_linker_scan(struct sb_linker *linker, const char *bytes, size_t len);
