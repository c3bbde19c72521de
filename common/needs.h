/*
 * What programs need of a machine before they can start at all: told in words, where the dynamic
 * linker would say "FATAL" or the processor refuse an instruction.
 */
#pragma once

#include "common/err.h"

/* `needed` is "X.Y.Z" or less of it, `release` what uname(2) says; NULL needs nothing. */
int sb_needs_kernel(const char *needed, const char *release, struct sb_err *err);

/* `needed` is the psABI's level, "x86-64" or "x86-64-v2" to "x86-64-v4"; NULL needs nothing. */
int sb_needs_cpu(const char *needed, struct sb_err *err);
/* The level of this machine's processor: 1 to 4; 0 where it is not x86-64. */
unsigned sb_cpu_level(void);
