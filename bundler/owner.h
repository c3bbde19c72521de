/*
 * Which package a file belongs to, as dpkg's lists tell: dpkg(1), /var/lib/dpkg/info/NAME.list and
 * /var/lib/dpkg/status. No package manager is run. On machines without dpkg nothing has an owner.
 */
#pragma once

#include <stddef.h>

#include "common/err.h"
#include "common/map.h"

struct sb_owners {
	struct sb_map paths;   /* asked for; value: interned "name=version", NULL none */
	struct sb_map strings; /* names and owners */
};

#define SB_OWNERS_INIT                   \
	{                                \
		SB_MAP_INIT, SB_MAP_INIT \
	}
#define auto_owners __attribute__((cleanup(sb_owners_free))) struct sb_owners

/* Order: ask for every path (0 or -ENOMEM), look up once in `root`, then read. */
int sb_owners_ask(struct sb_owners *owners, const char *path);
int sb_owners_look_up(struct sb_owners *owners, const char *root, struct sb_err *err);
/* NULL where it has none; lives as long as `owners`. */
const char *sb_owners_of(const struct sb_owners *owners, const char *path);
void sb_owners_free(struct sb_owners *owners);
