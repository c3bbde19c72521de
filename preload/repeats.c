#include "preload/repeats.h"

#include <stddef.h>

#include "preload/chunk.h"

#define PAGE   4096
#define TABLES 3

/* `upto`: with so many remembered, in all, it is full enough. */
static const struct {
	uint16_t offset, slots, upto;
} tables[TABLES] = {
	{offsetof(struct sb_passing, few), SB_REPEATS_FEW, SB_REPEATS_FEW * 2 / 3},
	{offsetof(struct sb_passing, more), SB_REPEATS_MORE, SB_REPEATS_MORE * 2 / 3},
	{offsetof(struct sb_passing, many), SB_REPEATS, 0},
};

static struct sb_repeat *bucket(struct sb_passing *passing, unsigned table, uint64_t hash)
{
	struct sb_repeat *slots = (void *)((char *)passing + tables[table].offset);

	return slots + hash % (tables[table].slots / 2) * 2;
}

static unsigned table_in_use(uint32_t known)
{
	return known < tables[0].upto ? 0 : known < tables[1].upto ? 1 : 2;
}

static bool raise_in(struct sb_repeat *pair, uint64_t hash)
{
	for (int i = 0; i < 2; i++) {
		uint64_t sealed = sb_load(&pair[i].sealed);
		struct sb_slot slot;

		if (sb_load(&pair[i].hash) != hash || !sb_find(sealed ^ hash, &slot))
			continue;
		(void)sb_add(&slot.rec->count, 1);
		sb_release(&slot);
		return true;
	}
	return false;
}

bool sb_repeat_raise(struct sb_passing *passing, uint64_t hash)
{
	for (unsigned table = table_in_use(sb_load(&passing->known)) + 1; table-- > 0;)
		if (raise_in(bucket(passing, table, hash), hash))
			return true;
	return false;
}

/* A page that is read first and written then costs two faults. */
static void touch(struct sb_passing *passing, unsigned table)
{
	char *slots = (char *)passing + tables[table].offset;

	for (size_t at = 0; at < tables[table].slots * sizeof(struct sb_repeat); at += PAGE)
		(void)sb_add((uint64_t *)(slots + at), 0);
}

void sb_repeat_remember(struct sb_passing *passing, uint64_t hash, uint64_t ref)
{
	uint32_t known = sb_load(&passing->known);
	unsigned table = table_in_use(known);
	struct sb_repeat *pair = bucket(passing, table, hash);

	/* It stops where the last table begins, for good. */
	if (table < TABLES - 1 && sb_cas(&passing->known, &known, known + 1) &&
	    table_in_use(known + 1) != table)
		touch(passing, table + 1);
	/* The newer of the two moves down. A signal handler or a thread may do the same in between:
	 * what is torn then fits no record, and is written anew. */
	sb_store(&pair[1].hash, sb_load(&pair[0].hash));
	sb_store(&pair[1].sealed, sb_load(&pair[0].sealed));
	sb_store(&pair[0].hash, hash);
	sb_store(&pair[0].sealed, ref ^ hash);
}
