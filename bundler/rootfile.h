/* Files of a root directory, opened as chroot(root) would find them: links never lead outside. */
#pragma once

#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"

/*
 * Opens the regular file at absolute `path` for reading. Returns the descriptor, or -errno
 * (-EINVAL where it is something else: a fifo would hang us, a device do anything). *ret_real,
 * where given, is the path within the root, without links.
 */
int sb_root_open(const char *root, const char *path, struct sb_buf *ret_real, struct sb_err *err);

/* Appends the file's bytes to *ret; -EFBIG where there are more than `limit`. */
int sb_root_read(const char *root, const char *path, size_t limit, struct sb_buf *ret,
		 struct sb_err *err);
