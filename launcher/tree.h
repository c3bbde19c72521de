/*
 * Whole directory trees: removed, copied.
 */
#pragma once

#include <sys/types.h>

#include "common/err.h"

/*
 * Removes `name` (relative to `dir_fd`) and what is in it, also where the program took its own
 * rights from a directory. Follows no symlink, crosses no mount. What cannot be removed stays.
 */
void launch_tree_remove(int dir_fd, const char *name);

/*
 * Copies what is in the directory `from` into the directory `to`, modes and times included; what
 * `to` has already stays as it is. Special files are left out. `more` is added to the files' modes.
 */
int launch_tree_copy(int from, int to, mode_t more, struct sb_err *err);
