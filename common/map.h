/*
 * A map from byte strings to pointers, in insertion order; a set where the values are unused.
 *
 * Keys are copied and live, at a stable address, until the map is freed: so a map is also
 * the place where strings are interned. Values are the caller's. Nothing can be removed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sb_map_entry {
	const char *key; /* NUL-terminated, `len` bytes before it */
	size_t len;
	void *value;
};

struct sb_map {
	struct sb_map_entry *entries; /* `count` of them, in insertion order; moved by additions */
	size_t count, cap;
	struct sb_map_slot *slots; /* open addressing */
	size_t slot_count;
	struct sb_arena *keys;
};

#define SB_MAP_INIT                       \
	{                                 \
		NULL, 0, 0, NULL, 0, NULL \
	}
#define auto_map __attribute__((cleanup(sb_map_free))) struct sb_map

/*
 * Finds or adds. Returns the entry (valid until the next addition), NULL when out of memory.
 * *ret_new, where given, tells whether it was added; a new entry's value is NULL.
 */
struct sb_map_entry *sb_map_add(struct sb_map *map, const char *key, size_t len, int *ret_new);
struct sb_map_entry *sb_map_find(const struct sb_map *map, const char *key, size_t len);

/* The same with NUL-terminated keys. */
struct sb_map_entry *sb_map_adds(struct sb_map *map, const char *key, int *ret_new);
struct sb_map_entry *sb_map_finds(const struct sb_map *map, const char *key);
/* The key's lasting copy, NULL when out of memory. */
const char *sb_map_intern(struct sb_map *map, const char *key);

/* Sorts the entries by key, bytewise. */
void sb_map_sort(struct sb_map *map);
void sb_map_free(struct sb_map *map);
/* Empties it, to be filled again as far: its keys are gone, most of its room stays. */
void sb_map_clear(struct sb_map *map);

/* FNV-1a with a final mix, 64 bits; never 0. */
uint64_t sb_hash(const void *bytes, size_t len);
