/*
 * Carries out mounts.
 */
#pragma once

#include <stdbool.h>

#include "common/err.h"
#include "launcher/ops.h"

/* Binds with what is mounted below. Read-only as far as the first mount goes. */
int launch_mount_bind(const char *source, const char *dest, bool read_only, struct sb_err *err);

/*
 * Makes `root` (below the current directory) the root and carries out the mounts of `ops` in it;
 * then this machine's file systems are out of reach, and the current directory is "/". Where `root`
 * is a mount, it is laid over the machine's root, whose mounts stay below: to take them down,
 * pivot_root(2) and umount(2) would have to wait for all processors. `scratch`, where not NULL, is
 * a mount of this machine to take away before its directories are bound.
 */
int launch_mount_root(const char *root, const struct launch_ops *ops, const char *scratch,
		      struct sb_err *err);
