#include "common/map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Blocks of key bytes: a key never moves, whatever is added later. */
struct sb_arena {
	struct sb_arena *next;
	size_t used, cap;
	char bytes[];
};

uint64_t sb_hash(const void *bytes, size_t len)
{
	const unsigned char *p = bytes;
	uint64_t h = 0xcbf29ce484222325u ^ len, eight;

	for (; len >= sizeof eight; p += sizeof eight, len -= sizeof eight) {
		memcpy(&eight, p, sizeof eight);
		h = (h ^ eight) * 0x9fb21c651e98df25u;
		h ^= h >> 32;
	}
	for (; len; p++, len--)
		h = (h ^ *p) * 0x100000001b3u;
	h ^= h >> 32;
	h *= 0x9fb21c651e98df25u;
	h ^= h >> 28;
	return h ? h : 1;
}

static char *keep(struct sb_map *map, const char *key, size_t len)
{
	struct sb_arena *block = map->keys;

	if (!block || block->cap - block->used < len + 1) {
		size_t cap = len + 1 > 16384 ? len + 1 : 16384;

		block = malloc(sizeof *block + cap);
		if (!block)
			return NULL;
		block->next = map->keys;
		block->used = 0;
		block->cap = cap;
		map->keys = block;
	}
	char *copy = block->bytes + block->used;
	memcpy(copy, key, len);
	copy[len] = '\0';
	block->used += len + 1;
	return copy;
}

/* The upper half of a key's hash tells most others from it without a look at them. */
struct sb_map_slot {
	uint32_t index; /* + 1; 0 free */
	uint32_t hash;
};

/* The slot where the key is, or where it would go: with its hash. */
static struct sb_map_slot *slot_of(const struct sb_map *map, const char *key, size_t len)
{
	size_t mask = map->slot_count - 1;
	uint64_t hash = sb_hash(key, len);

	for (size_t i = hash & mask;; i = (i + 1) & mask) {
		struct sb_map_slot *slot = &map->slots[i];
		const struct sb_map_entry *e;

		if (!slot->index) {
			slot->hash = (uint32_t)(hash >> 32);
			return slot;
		}
		if (slot->hash != (uint32_t)(hash >> 32))
			continue;
		e = &map->entries[slot->index - 1];
		if (e->len == len && memcmp(e->key, key, len) == 0)
			return slot;
	}
}

static int rehash(struct sb_map *map, size_t slot_count)
{
	struct sb_map_slot *slots = calloc(slot_count, sizeof *slots);

	if (!slots)
		return -ENOMEM;
	free(map->slots);
	map->slots = slots;
	map->slot_count = slot_count;
	for (size_t i = 0; i < map->count; i++)
		slot_of(map, map->entries[i].key, map->entries[i].len)->index = (uint32_t)i + 1;
	return 0;
}

struct sb_map_entry *sb_map_add(struct sb_map *map, const char *key, size_t len, int *ret_new)
{
	if ((map->count + 1) * 2 > map->slot_count &&
	    rehash(map, map->slot_count ? map->slot_count * 2 : 32) < 0)
		return NULL;
	struct sb_map_slot *slot = slot_of(map, key, len);
	if (ret_new)
		*ret_new = slot->index == 0;
	if (slot->index)
		return &map->entries[slot->index - 1];
	if (map->count == map->cap) {
		size_t cap = map->cap ? map->cap * 2 : 16;
		void *grown = reallocarray(map->entries, cap, sizeof *map->entries);

		if (!grown)
			return NULL;
		map->entries = grown;
		map->cap = cap;
	}
	char *copy = keep(map, key, len);
	if (!copy)
		return NULL;
	map->entries[map->count] = (struct sb_map_entry){.key = copy, .len = len, .value = NULL};
	slot->index = (uint32_t)++map->count;
	return &map->entries[map->count - 1];
}

struct sb_map_entry *sb_map_find(const struct sb_map *map, const char *key, size_t len)
{
	if (!map->slot_count)
		return NULL;
	uint32_t index = slot_of(map, key, len)->index;
	return index ? &map->entries[index - 1] : NULL;
}

struct sb_map_entry *sb_map_adds(struct sb_map *map, const char *key, int *ret_new)
{
	return sb_map_add(map, key, strlen(key), ret_new);
}

struct sb_map_entry *sb_map_finds(const struct sb_map *map, const char *key)
{
	return sb_map_find(map, key, strlen(key));
}

const char *sb_map_intern(struct sb_map *map, const char *key)
{
	const struct sb_map_entry *e = sb_map_adds(map, key, NULL);

	return e ? e->key : NULL;
}

static int by_key(const void *a, const void *b)
{
	const struct sb_map_entry *x = a, *y = b;
	int order = memcmp(x->key, y->key, x->len < y->len ? x->len : y->len);

	return order ? order : (x->len > y->len) - (x->len < y->len);
}

void sb_map_sort(struct sb_map *map)
{
	if (!map->count)
		return;
	qsort(map->entries, map->count, sizeof *map->entries, by_key);
	memset(map->slots, 0, map->slot_count * sizeof *map->slots);
	for (size_t i = 0; i < map->count; i++)
		slot_of(map, map->entries[i].key, map->entries[i].len)->index = (uint32_t)i + 1;
}

static void free_blocks(struct sb_arena *block)
{
	while (block) {
		struct sb_arena *next = block->next;

		free(block);
		block = next;
	}
}

void sb_map_clear(struct sb_map *map)
{
	if (!map->count)
		return;
	free_blocks(map->keys->next);
	map->keys->next = NULL;
	map->keys->used = 0;
	memset(map->slots, 0, map->slot_count * sizeof *map->slots);
	map->count = 0;
}

void sb_map_free(struct sb_map *map)
{
	int saved = errno;

	free_blocks(map->keys);
	free(map->entries);
	free(map->slots);
	*map = (struct sb_map)SB_MAP_INIT;
	errno = saved;
}
