/*
 * A bundle held against its manifest: every hash, size, mode, time and link, nothing missing,
 * nothing more, and every ELF file's needs met inside the payload.
 */
#pragma once

#include "common/err.h"

/* Hears one finding: what is wrong with `path` (in the payload, or of the bundle). */
typedef void (*sb_finding_fn)(void *arg, const char *path, const char *what);

/* The number of findings, or -errno where the bundle cannot be judged at all. */
int sb_verify(const char *bundle, sb_finding_fn finding, void *arg, struct sb_err *err);
