/*
 * The notes that we read: GNU's ABI tag and properties (the Linux extensions to the gABI), and
 * dlopen metadata (the UAPI group's "ELF dlopen metadata": owner FDO, JSON).
 *
 * A note that lies ends the reading of its segment: a program runs whatever its notes say. The
 * caller starts with zeroes, reads any number of segments, and frees the arrays.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bundler/elf.h"
#include "common/map.h"

struct sb_notes {
	struct sb_map *strings; /* where strings are put */
	bool wide;		/* ELFCLASS64 */
	bool swap;		/* the file's byte order is not ours */

	unsigned kernel[3];
	unsigned isa_level;
	struct sb_dlopen *dlopens;
	size_t dlopen_count;
	bool malformed; /* a dlopen note could not be read */
};

/* The bytes of one PT_NOTE segment, with its p_align. 0 or -ENOMEM. */
int sb_notes_read(struct sb_notes *notes, const void *bytes, size_t len, size_t align);
void sb_notes_free(struct sb_notes *notes);

/* The JSON of one dlopen note, added to notes->dlopens. 0, -ENOMEM, or -EBADMSG. */
int sb_dlopen_parse(struct sb_notes *notes, const char *json, size_t len);
