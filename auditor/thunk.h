/*
 * What stands in the place of the dynamic linker's system calls (auditor/linker.h): a jump leads to
 * a thunk, which has the call made by the bypass, recorded, and goes on behind it.
 *
 * Order: sb_thunk_set(), a jump written to what it returns, sb_thunk_works(). While there is one
 * thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "auditor/sites.h"
#include "preload/entry.h"
#include "tracer/wire.h"

#define SB_THUNKS SB_LINKER_SITES

/* Thunk `i` makes that call and goes on at `back`. Where it is. */
uintptr_t sb_thunk_set(unsigned i, const struct sb_site *site, uintptr_t back);

/*
 * Tries out whether `jump` stands at `at`, leads to thunk `i`, and whether that leaves all as the
 * system call would. No call is made.
 */
bool sb_thunk_works(unsigned i, const uint8_t *at, const uint8_t jump[SB_ENTRY_JUMP]);
