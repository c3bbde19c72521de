/*
 * One record of the log, taken out of the reach of whoever may still write there, and checked.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tracer/wire.h"

#define RECORD_STRINGS 4096

struct record {
	struct sb_rec head;
	size_t string_count;
	const char *strings[RECORD_STRINGS]; /* into `bytes` */
	char bytes[SB_CHUNK];
};

/* Copies and checks the record of `size` bytes at `rec`. False: it makes no sense. */
bool record_take(struct record *ret, const struct sb_rec *rec, size_t size);
/* The string, NULL where there is none. */
const char *record_string(const struct record *rec, size_t index);
