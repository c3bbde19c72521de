/*
 * Real paths of what other processes named: symlinks followed inside their root directory, and
 * /proc/self taken for the process that meant it.
 *
 * What was looked up is remembered: call sb_real_forget() where a link may have changed, and
 * sb_real_renew() before each batch for those changes that nobody tells of. Links that were read
 * are remembered longer, by tracer/links.h: to forget is to look at their directories once more.
 * Nothing here opens a file, so nothing blocks on a fifo or wakes an automounter.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "common/err.h"

struct sb_real;

int sb_real_new(struct sb_real **ret, struct sb_err *err);
void sb_real_free(struct sb_real *real);
void sb_real_forget(struct sb_real *real);
/* `path` was removed: forgets, where it may have been a link, and returns whether. */
bool sb_real_removed(struct sb_real *real, const char *root, const char *path, pid_t pid);
/*
 * A symlink was made at the real `path`, with the root's before it, and holds `target`: so it is
 * followed, though it may be another one by now (for SB_REAL_MADE seconds), or gone. NULL: there
 * is none any more.
 */
void sb_real_linked(struct sb_real *real, const char *path, const char *target);
/* What was renamed from the one to the other was a symlink that was made, or a directory. */
void sb_real_moved(struct sb_real *real, const char *from, const char *to);
/* Forgets where the oldest of what is remembered was looked up SB_REAL_BELIEVED seconds ago. */
void sb_real_renew(struct sb_real *real);
/* Forgets where much is remembered: for between two look-ups of a long batch. */
void sb_real_trim(struct sb_real *real);

#define SB_REAL_BELIEVED 0.02
#define SB_REAL_MADE	 0.25

/*
 * The real path of absolute `path` within `root` ("" for this machine's own), without the root;
 * `nofollow` where a last component that is a symlink stands for itself; `pid` is whose /proc/self
 * it is. What does not exist is named as far as it can be: its directory's real path and the rest
 * as it stands. NULL where it cannot be told (no access, a loop, a pipe behind /proc/self/fd).
 * Lasts until sb_real_forget(), _renew() or _trim().
 */
const char *sb_real_path(struct sb_real *real, const char *root, const char *path, bool nofollow,
			 pid_t pid);
