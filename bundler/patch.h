/*
 * A copy of a libc or a dynamic linker (x86_64, aarch64) that calls the start (redirect/) where it
 * would call the kernel with a path. Each such place becomes a jump to code of its own, in a
 * segment behind the others, which keeps all that the kernel keeps, and comes back.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

struct sb_patch {
	uint16_t machine; /* the start's: its e_machine */
	uint64_t gates;	  /* where the start's gates begin: its e_entry */
	bool linker;	  /* which of them to take */
	/* Set by sb_patch_library(). */
	unsigned places; /* rewritten */
	unsigned left;	 /* that name a path, and could not be rewritten */
};

/* Appends the copy to *ret. -SB_ESAID: no file that it can be done to, with one line that tells. */
int sb_patch_library(const void *bytes, size_t size, struct sb_patch *patch, struct sb_buf *ret,
		     struct sb_err *err);

/* Fills `machine` and `gates` from the start; false: it is none that we know. */
bool sb_patch_start(const void *bytes, size_t size, struct sb_patch *ret);
