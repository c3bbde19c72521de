/* What `create` says at its end: warnings, and what is in the bundle and what is not. */
#pragma once

#include "bundler/draft.h"

/* Logs every warning; many of a kind become one line. */
void sb_create_warn(const struct sb_remarks *remarks);
/* Sizes by reason, the largest files, what was left out: to stdout. `place` is where it went. */
void sb_create_summary(const struct sb_draft *draft, const char *place, bool dry_run);
