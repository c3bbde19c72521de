/*
 * Instructions of libc's that are done elsewhere, so that a jump has room where they stood: behind
 * libc's text, in its copy (tracer/retext_work.h). By bytes; what is not known is left alone.
 *
 * Order: sb_retext_gap() or sb_retext_movable(), sb_retext_move() as often as is wanted, and
 * sb_retext_unreached() at the end.
 */
#pragma once

#include "tracer/retext_work.h"

/* A system call with instructions between its number and itself. */
struct sb_retext_gap {
	uint64_t from; /* what is moved: from here up to the system call, with room for a jump */
	uint32_t number;
};

/*
 * `address` is the system call's. False: what comes before it is not known, or somebody could jump
 * to the middle of it.
 */
bool sb_retext_gap(struct sb_retext *w, uint64_t address, struct sb_retext_gap *ret);

/* How many bytes of whole instructions, room for a jump at least, can be moved from `address` on,
 * where a function begins; 0: so many cannot. */
size_t sb_retext_movable(const struct sb_retext *w, uint64_t address);

/* Puts these instructions at `to`, where there is room for as many bytes. */
void sb_retext_move(const struct sb_retext *w, uint64_t from, size_t len, uint64_t to);

/* Whether nobody jumps from afar into such a gap. *ret_address: where somebody does. */
bool sb_retext_unreached(const struct sb_retext *w, uint64_t *ret_address);
