/*
 * The plan as bubblewrap's arguments, NUL-terminated one by one: what `bwrap --args FD` reads.
 * Knows only options that bubblewrap 0.4 has.
 */
#pragma once

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"
#include "launcher/layer.h"
#include "launcher/ops.h"

/*
 * `layer` was made with LAUNCH_MOUNTS_THEIRS and is the current directory. Adds to *ret. -E2BIG
 * where it would be more arguments than bubblewrap takes.
 */
int launch_bwrap_args(const struct launch_layer *layer, const struct launch_ops *ops, bool own_net,
		      struct sb_buf *ret, struct sb_err *err);
