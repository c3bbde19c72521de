/*
 * What a bundle's manifest says of it, added up. Strings belong to the manifest.
 */
#pragma once

#include "bundler/manifest.h"
#include "common/map.h"

struct inspect_sum {
	uint64_t files, bytes;
};

struct inspect {
	const struct sb_manifest *m;
	struct inspect_sum all, by_reason[SB_WHY_COUNT]; /* a file counts for its first reason */
	struct sb_map folders, packages;		 /* name -> struct inspect_sum * */
	size_t started;					 /* programs that host mode starts itself */
};

/* Order: _make(), then either print, then _free(). 0 or -ENOMEM. */
int sb_inspect_make(const struct sb_manifest *m, struct inspect *ret);
void sb_inspect_free(struct inspect *in);

void sb_inspect_table(const struct inspect *in);
int sb_inspect_json(const struct inspect *in);
