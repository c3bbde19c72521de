/*
 * The index of a payload: which paths are in it, in a form that is used as it lies in the file.
 *
 * libexec/host/index: a struct sb_index_head, then `slots` (uint32_t, a power of two of them: index
 * of an entry + 1, 0 free; open addressing by sb_index_hash() of the path), entries, and strings.
 * Offsets are from the file's beginning; strings end in NUL and have their length beside them. It
 * is written by `create` and belongs to the bundle: its reader checks the head, and trusts the
 * rest.
 *
 * Paths are absolute, as the program sees them, without symlinks on the way: a link is an entry of
 * its own, with what it holds as its `target`.
 */
#pragma once

#include <stdint.h>

#define SB_INDEX_MAGIC "sbindex4"

/* Below the bundle. START is the program of redirect/; ROOT mirrors the payload, with START hard
 * linked in the place of each program that needs it, and rewritten libraries. */
#define SB_HOST_DIR   "libexec/host"
#define SB_HOST_INDEX SB_HOST_DIR "/index"
#define SB_HOST_START SB_HOST_DIR "/start"
#define SB_HOST_ROOT  SB_HOST_DIR "/root"

/* What is told to a start about to be executed: redirect/layer.c. */
#define SB_TRANSIT_NAME "SIDEBUNDLE_START"
/* Directories that have copies, at most. */
#define SB_DIRS_MOST 16
/* An empty file of the layer, which every program that is told of it has mapped: so it can be seen
 * who still uses it (launcher/users.h). */
#define SB_LAYER_USED ".used"

struct sb_index_head {
	char magic[8];
	uint32_t size; /* of the file */
	uint32_t slot_count, entry_count;
	uint32_t slots, entries, strings;
	uint32_t library_path; /* LD_LIBRARY_PATH of what was traced; "" none */
	uint32_t searched;     /* folders that RUNPATHs name, parted by ':' */
};

enum sb_index_type { SB_INDEX_FILE, SB_INDEX_DIR, SB_INDEX_LINK };

#define SB_INDEX_OPAQUE	 1u /* a directory that hides this machine's of that name */
#define SB_INDEX_PROGRAM 2u /* is started by its namesake in ROOT */
#define SB_INDEX_LIBRARY 4u /* its rewritten form lies in ROOT */
#define SB_INDEX_SCRIPT	 8u /* begins with #! and may be executed */

struct sb_index_entry {
	uint32_t hash;
	uint32_t path, path_len;
	uint32_t target, target_len; /* of a link */
	uint8_t type, flags;
	uint8_t unused[2];
};

/*
 * Hashed component by component, so that a path's beginnings are hashed on the way to its end:
 * words of eight bytes, as they lie in memory, of which a component's last is filled up with zeros
 * and left out where nothing is in it. "/" is the start itself; of the state, the upper half is the
 * hash.
 */
#define SB_INDEX_HASH_START 0x9e3779b97f4a7c15u
static inline uint64_t sb_index_hash_word(uint64_t state, uint64_t word)
{
	state = (state ^ word) * 0xff51afd7ed558ccdu;
	return state ^ state >> 32;
}

static inline uint32_t sb_index_hash(uint64_t state)
{
	return (uint32_t)(state >> 32);
}

/* The slot to begin at. */
static inline uint32_t sb_index_slot(uint32_t hash, uint32_t slot_count)
{
	return (hash ^ hash >> 15) & (slot_count - 1);
}

/*
 * The start's beginning, from its e_entry on, in steps of this many bytes: its own entry, then
 * where rewritten code of libc calls instead of the kernel, then where that of the dynamic linker
 * does, then the question whether it is to call at all.
 */
#define SB_GATE_STEP 16
/* System calls from this number on name no path. */
#define SB_GATE_NUMBERS 512
enum sb_gate { SB_GATE_ENTRY, SB_GATE_LIBC, SB_GATE_LINKER, SB_GATE_ASK_LIBC, SB_GATE_ASK_LINKER };

/* The answer of an asking gate's function for "make it yourself": no system call's result. */
#define SB_GATE_PASS 0x8000000000000000
/* Its answer for "make it, with these arguments", which the gate then does. */
#define SB_GATE_AGAIN 0x8000000000000001
/* What the gate gives it room for: a struct sb_place with as much for a prefix, and for the rest.
 */
#define SB_GATE_ROOM   832
#define SB_SMALL_FRONT 256
#define SB_SMALL_ROOM  512
