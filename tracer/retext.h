/* Makes libc's text anew for traced processes: see tracer/libctext.h. */
#pragma once

#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"
#include "tracer/libctext.h"

/*
 * Appends to *ret what the file is to hold, for a libc of these bytes. -SB_ESAID: it is none that
 * this can be done to, with one line that tells why: a libc in which one place that names a path
 * could not be rewritten is left alone as a whole.
 */
int sb_retext(const void *bytes, size_t size, struct sb_buf *ret, struct sb_err *err);

/*
 * Makes the file in `dir`, a log's, and on a disk (sb_log_text()), of the libc that this process
 * runs with, and tries whether it may be executed there; *ret_table says what is in it. What it
 * returns is of enum sb_libctext_at. -errno: it is of no use; either way it is removed with the
 * log (tracer/logfile.h).
 */
int sb_retext_file(const char *dir, struct sb_libctext *ret_table, struct sb_err *err);
