/* Which records are there to be taken, and in what order: that of time, as far as it is known. */
#include <stdlib.h>

#include "tracer/collect_private.h"

/* A second or so where the counter is fast, some minutes where it is slow. */
#define SKEW_TICKS (1u << 22)

/* The chunk's owner, once the chunk is named; false while it is not. */
static bool name_chunk(struct sb_collector *c, struct chunk *k)
{
	if (k->image)
		return true;
	if (__atomic_load_n(&k->memory->magic, __ATOMIC_ACQUIRE) != SB_CHUNK_MAGIC)
		return false;
	uint64_t id = k->memory->image;
	if (id == 0 || id > k->number + 1)
		id = k->number + 1; /* scribbled over */
	pid_t pid = k->memory->pid;
	k->image = images_get(&c->images, id, pid < 0 ? 0 : pid);
	if (!k->image) {
		sb_sink_lost(c->sink, 1);
		return false;
	}
	k->image->chunks++;
	return true;
}

bool collect_come_back(struct chunk *k, uint32_t offset)
{
	if (k->unfinished_count == k->unfinished_cap) {
		size_t cap = k->unfinished_cap ? k->unfinished_cap * 2 : 16;
		void *grown = reallocarray(k->unfinished, cap, sizeof *k->unfinished);

		if (!grown)
			return false;
		k->unfinished = grown;
		k->unfinished_cap = cap;
	}
	k->unfinished[k->unfinished_count++] = offset;
	return true;
}

static struct chunk *find_chunk(const struct sb_collector *c, uint64_t number)
{
	size_t low = 0, high = c->chunk_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (c->chunks[middle]->number < number)
			low = middle + 1;
		else
			high = middle;
	}
	return low < c->chunk_count && c->chunks[low]->number == number ? c->chunks[low] : NULL;
}

static bool is_later(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) > 0; /* the counter wraps */
}

/* As far as counters may differ. More: half of their round has passed since, or all of it. */
static bool is_little_later(uint32_t a, uint32_t b)
{
	return a - b - 1 < SKEW_TICKS;
}

/*
 * When it was written. Whatever processors' counters say of each other, a hello comes after the
 * exec that made its image.
 */
static uint32_t tick_of(struct sb_collector *c, const struct chunk *k, const struct sb_rec *rec)
{
	uint32_t tick = rec->tick ? rec->tick : k->tick ? k->tick : c->tick;
	uint64_t place = rec->kind == SB_REC_HELLO && rec->dirfd != 1 ? rec->arg : 0;
	const struct chunk *by = place ? find_chunk(c, place / SB_CHUNK) : NULL;
	uint32_t offset = place % SB_CHUNK;

	if (by && offset % 8 == 0 && offset + sizeof *rec <= by->cursor) {
		const struct sb_rec *exec = collect_at(by, offset);

		if (exec->tick && is_little_later(exec->tick, tick))
			tick = exec->tick;
	}
	return tick;
}

/* As above, and what is behind another record of its chunk comes after that one. */
static uint32_t next_tick(struct sb_collector *c, struct chunk *k, const struct sb_rec *rec)
{
	uint32_t tick = tick_of(c, k, rec);

	if (k->tick && is_little_later(k->tick, tick))
		tick = k->tick;
	return c->tick = k->tick = tick;
}

static void put_ready(struct sb_collector *c, struct chunk *k, uint32_t offset, uint32_t tick)
{
	if (c->ready_count == c->ready_cap) {
		size_t cap = c->ready_cap ? c->ready_cap * 2 : 1024;
		void *grown = reallocarray(c->ready, cap, sizeof *c->ready);

		if (!grown) {
			sb_sink_lost(c->sink, 1);
			return;
		}
		c->ready = grown;
		c->ready_cap = cap;
	}
	c->ready[c->ready_count] = (struct ready){tick, offset, c->ready_count, k};
	c->ready_count++;
}

/* Up to the first that is not even reserved. */
static void find_new(struct sb_collector *c, struct chunk *k)
{
	while (k->cursor + sizeof(struct sb_rec) <= SB_CHUNK) {
		const struct sb_rec *rec = collect_at(k, k->cursor);
		uint32_t word = __atomic_load_n(&rec->word, __ATOMIC_ACQUIRE);
		uint32_t size = word & SB_REC_SIZE;

		if (!word)
			return;
		if (size < sizeof(struct sb_rec) || size % 8 || size > SB_CHUNK - k->cursor) {
			sb_sink_lost(c->sink, 1);
			k->cursor = SB_CHUNK;
			return;
		}
		if (word & SB_REC_DONE)
			put_ready(c, k, k->cursor, next_tick(c, k, rec));
		else if (!collect_come_back(k, k->cursor))
			sb_sink_lost(c->sink, 1);
		k->cursor += size;
	}
}

/* New records, and those that were not complete. */
void collect_find(struct sb_collector *c, struct chunk *k)
{
	if (!name_chunk(c, k))
		return;
	size_t before = k->unfinished_count, waiting = 0;
	find_new(c, k);
	/* What they refer to may be among the new ones, which came later all the same. */
	for (size_t i = 0; i < before; i++) {
		const struct sb_rec *rec = collect_at(k, k->unfinished[i]);

		if (__atomic_load_n(&rec->word, __ATOMIC_ACQUIRE) & SB_REC_DONE)
			put_ready(c, k, k->unfinished[i], tick_of(c, k, rec));
		else
			k->unfinished[waiting++] = k->unfinished[i];
	}
	for (size_t i = before; i < k->unfinished_count; i++)
		k->unfinished[waiting++] = k->unfinished[i];
	k->unfinished_count = waiting;
}

static int by_tick(const void *a, const void *b)
{
	const struct ready *x = a, *y = b;

	if (x->tick != y->tick)
		return is_later(x->tick, y->tick) ? 1 : -1;
	return (x->order > y->order) - (x->order < y->order);
}

void collect_order(struct sb_collector *c)
{
	if (c->ready_count)
		qsort(c->ready, c->ready_count, sizeof *c->ready, by_tick);
}
