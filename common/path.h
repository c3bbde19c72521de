/*
 * Paths as strings, and paths as the kernel would follow them inside a root directory.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"

/*
 * Appends `path` to *ret made absolute: taken from `dir` (absolute) where it is relative, with
 * "//" and "/./" squeezed and a trailing "/" removed. ".." stays: what it means depends on links.
 */
int sb_path_absolute(struct sb_buf *ret, const char *dir, const char *path);

/* Whether `path` is `dir` or lies below it; both absolute and clean. Everything is below "/". */
bool sb_path_below(const char *path, const char *dir);

/* What follows the last slash; the whole where there is none. */
const char *sb_path_base(const char *path);

/* fnmatch(3) with FNM_PATHNAME, where a component of two stars matches any number of components. */
bool sb_glob_match(const char *glob, const char *path);

/* One symlink that was followed: `link` is its own real path in the root, `target` what it holds.
 */
typedef int (*sb_hop_fn)(void *arg, const char *link, const char *target, struct sb_err *err);

#define SB_RESOLVE_NOFOLLOW 1u /* a last component that is a symlink is not followed */
#define SB_RESOLVE_MISSING  2u /* components that do not exist are taken as they are named */

/*
 * Follows absolute `path` inside `root` ("" or "/" for this machine's own), absolute symlinks and
 * ".." included, as the kernel would after chroot(root): never outside it. Sets *ret_real to the
 * path within the root, without symlinks. `hop`, where given, hears of each symlink in order.
 * Returns 0, or -errno of the component that stopped it (-ENOENT, -ELOOP, -EACCES, -ENOTDIR).
 */
int sb_resolve(const char *root, const char *path, unsigned flags, sb_hop_fn hop, void *arg,
	       struct sb_buf *ret_real, struct sb_err *err);

/*
 * Appends `path` to *ret made absolute, as sb_path_absolute() does, and without a "..": what leads
 * to the last one is followed inside `root`, what is behind it stays as it is named. Errors of
 * sb_resolve().
 */
int sb_path_without_dots(const char *root, const char *dir, const char *path, struct sb_buf *ret,
			 struct sb_err *err);

/* root + path as one name for open(2), into *ret (emptied first). */
int sb_in_root(struct sb_buf *ret, const char *root, const char *path);

/* The directory of the running program's own parts: SIDEBUNDLE_LIBEXEC, or ../libexec/sidebundle.
 */
int sb_libexec_dir(struct sb_buf *ret, struct sb_err *err);
