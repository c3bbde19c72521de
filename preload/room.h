/*
 * Memory for a vfork child that is about to exec. What it maps stays with its parent, whose memory
 * it shares, and who never hears how it went: so it is taken from a few rooms that are used again.
 */
#pragma once

#include <stddef.h>

struct sb_room;

/* NULL: this is no such child, or there is none to be had. */
struct sb_room *sb_room_take(size_t size, void **ret_memory);
/* The exec has failed. Where it works, or the child dies, the kernel does this. */
void sb_room_give(struct sb_room *room);
