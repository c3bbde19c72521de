/*
 * Where is the bundle, and which of its entries are we? By the file that the kernel executed, never
 * by argv[0].
 */
#pragma once

#include "common/buf.h"
#include "common/err.h"

/*
 * `link` is /proc/self/exe; `execfn`, which may be NULL, is AT_EXECFN: the name as execve(2) had
 * it, for a machine where /proc is missing. Sets *ret_dir to the bundle's real path and *ret_entry
 * to the entry's name.
 */
int launch_bundle_find(const char *link, const char *execfn, struct sb_buf *ret_dir,
		       struct sb_buf *ret_entry, struct sb_err *err);
