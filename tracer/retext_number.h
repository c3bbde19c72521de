/* Which system call it is, where its number does not stand right before it. */
#pragma once

#include "tracer/retext_work.h"

/* Whether this system call is one that traced processes are told of. */
bool sb_retext_watched(uint32_t number);

/* Whether the one at this address could be one, as far as its number is to be seen before it. */
bool sb_retext_suspect(const struct sb_retext *w, uint64_t address);

/*
 * From glibc 2.41 on a function that is a cancellation point calls another one that makes its
 * system call. False: one that is watched is so made at *ret_address, outside of the functions
 * that are entered by a jump; or it is not known which one is.
 */
bool sb_retext_cancellable(const struct sb_retext *w, uint64_t *ret_address);
