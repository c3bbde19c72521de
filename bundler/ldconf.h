/* ld.so.conf as ldconfig reads it: a directory a line, comments, includes with globs. */
#pragma once

#include "common/err.h"
#include "common/map.h"

/*
 * Adds the directories that `path` (absolute, in the root) names, in order, to *dirs. A file that
 * is not there, or includes too deeply, adds nothing. 0 or -ENOMEM.
 */
int sb_ldconf_read(const char *root, const char *path, struct sb_map *dirs, struct sb_err *err);
