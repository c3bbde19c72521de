/*
 * What --include and --exclude name: absolute, or begins with two stars, or is taken from the
 * working directory.
 */
#pragma once

#include "common/err.h"
#include "common/strings.h"
#include "common/strv.h"

/* Each of `given`, absolute, to *ret. */
int sb_globs_read(const struct sb_strings *given, const char *cwd, struct sb_strv *ret,
		  struct sb_err *err);
