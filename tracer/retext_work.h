/* What the parts of tracer/retext.c share: a libc in hand, and the copy of its text. */
#pragma once

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/err.h"
#include "tracer/libctext.h"

#define SB_RETEXT_PAGE	  4096ull
#define SB_RETEXT_ENTRIES 6 /* functions that are entered by a jump */
#define SB_RETEXT_JUMP	  5 /* bytes of a jump */

struct sb_range {
	uint64_t from, to;
};

struct sb_retext {
	const uint8_t *bytes;
	size_t size;
	const Elf64_Phdr *text, *data;
	const Elf64_Sym *symbols; /* that it exports */
	size_t symbol_count;
	const char *names;
	size_t names_size;
	uint8_t *to; /* the text's copy; its addresses are those of the file less text->p_vaddr */
	struct sb_libctext table;
	struct sb_range done[SB_RETEXT_ENTRIES + 3]; /* functions that need no sites */
	unsigned done_count;
	uint64_t stubs[SB_SLOTS]; /* addresses */
	/* Nobody may jump into these, but to their beginnings; in order of their addresses. */
	struct sb_range moved[SB_LIBCTEXT_SITES];
	unsigned moved_count;
	uint64_t room, room_end; /* what is left behind the text's last function */
};

/*
 * Whether the file is laid out as we know it: fills in where its text and data are, the table's
 * beginning, and the room that there is.
 */
int sb_retext_look(struct sb_retext *w, struct sb_err *err);

/* A function that it exports, by its default version. False: there is none. */
bool sb_retext_function(const struct sb_retext *w, const char *name, struct sb_range *ret);

/* The exported function that begins last before `address`, or there. False: there is none. */
bool sb_retext_function_at(const struct sb_retext *w, uint64_t address, struct sb_range *ret);

/* The address of so many bytes behind the text's last function; 0: that many are not left. */
uint64_t sb_retext_room(struct sb_retext *w, size_t len);

/* Whether it lies in a function that needs no sites. */
static inline bool sb_retext_is_done(const struct sb_retext *w, uint64_t address)
{
	for (unsigned i = 0; i < w->done_count; i++)
		if (address >= w->done[i].from && address < w->done[i].to)
			return true;
	return false;
}

static inline uint32_t sb_retext_word(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof value);
	return value;
}

/* Of libc, and of the copy. */
static inline const uint8_t *sb_retext_code(const struct sb_retext *w, uint64_t address)
{
	return w->bytes + w->text->p_offset + (address - w->text->p_vaddr);
}

static inline uint8_t *sb_retext_copy(const struct sb_retext *w, uint64_t address)
{
	return w->to + (address - w->text->p_vaddr);
}
