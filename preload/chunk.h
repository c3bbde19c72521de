/*
 * Room in the log: chunks are claimed, mapped as windows, and filled record by record.
 *
 * Order: sb_reserve, fill, sb_publish. Between the two the window stays mapped. No lock: whoever
 * dies or is interrupted in between leaves a reserved record that the collector steps over, and a
 * window that is never unmapped.
 */
#pragma once

#include "preload/state.h"

struct sb_slot {
	struct sb_rec *rec;
	struct sb_window *window;
	uint64_t ref;	/* for sb_find() later */
	uint64_t place; /* SB_PLACE in the log */
};

/*
 * Room for `size` bytes (a multiple of 8); where the log is full, waits for some seconds until the
 * collector has made more. False: none, counted as lost.
 */
bool sb_reserve(uint32_t size, struct sb_slot *ret_slot);
/* An event that cannot be told. */
void sb_count_lost(struct sb_recorder *st);
/* Makes it visible; the head has been filled, `word` apart. */
void sb_publish(struct sb_slot *slot, uint32_t size);

/* The record again, held until sb_release(). False where its window is gone. */
bool sb_find(uint64_t ref, struct sb_slot *ret_slot);
/* The same by its place, where it lies in what is mapped here. */
bool sb_find_place(uint64_t place, struct sb_slot *ret_slot);
void sb_release(struct sb_slot *slot);

/* Makes a new image of this process: its first chunk becomes the current one. */
bool sb_chunk_first(struct sb_recorder *st, int fd);
/* Claims some ahead, for when no system call may be made. */
void sb_chunk_stock(struct sb_recorder *st);
