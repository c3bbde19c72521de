/*
 * bubblewrap, as this machine has it: for the launcher's bwrap mode and for doctor.
 */
#pragma once

#include "common/buf.h"
#include "common/err.h"

/*
 * SIDEBUNDLE_BWRAP (a path, or a name to look for), or `bwrap` in PATH, or in the usual places.
 * -ENOENT with the remedy in *err where there is none.
 */
int sb_bwrap_find(struct sb_buf *ret, struct sb_err *err);
/* `said` is what it put on its stderr before it failed. Returns as sb_fail(). */
int sb_bwrap_failed(const char *bwrap, const char *said, struct sb_err *err);
/* Runs it with a trivial program. */
int sb_probe_bwrap(struct sb_err *err);
