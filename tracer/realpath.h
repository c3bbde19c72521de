/*
 * Real paths of what other processes named: symlinks followed inside their root directory, and
 * /proc/self taken for the process that meant it.
 *
 * What was looked up is remembered until sb_real_forget(): call that between batches, since links
 * change. Nothing here opens a file, so nothing blocks on a fifo or wakes an automounter.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

struct sb_real;

int sb_real_new(struct sb_real **ret, struct sb_err *err);
void sb_real_free(struct sb_real *real);
void sb_real_forget(struct sb_real *real);
/* Forgets where much is remembered: for between two look-ups of a long batch. */
void sb_real_trim(struct sb_real *real);

/*
 * The real path of absolute `path` within `root` ("" for this machine's own), without the root;
 * `nofollow` where a last component that is a symlink stands for itself; `pid` is whose /proc/self
 * it is. What does not exist is named as far as it can be: its directory's real path and the rest
 * as it stands. NULL where it cannot be told (no access, a loop, a pipe behind /proc/self/fd).
 * Lasts until sb_real_forget() or _trim().
 */
const char *sb_real_path(struct sb_real *real, const char *root, const char *path, bool nofollow,
			 pid_t pid);
