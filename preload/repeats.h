/*
 * What this image has told already: the same once more raises the count of its record instead.
 *
 * Three tables, small to large. A few events go into the first, which lies in a page that is needed
 * anyhow; only who tells more takes the pages of the next. An event is looked for in those that
 * are in use. No lock: where threads or a signal handler meet in a slot, a record is told
 * twice, and no count is lost.
 *
 * A hash is never 0; a reference is sb_slot.ref.
 */
#pragma once

#include <stdbool.h>

#include "preload/state.h"

/* False: not told yet, or its record is out of reach by now. */
bool sb_repeat_raise(struct sb_passing *passing, uint64_t hash);
void sb_repeat_remember(struct sb_passing *passing, uint64_t hash, uint64_t ref);
