/* shelf: keys and values in a text file, one `key = value` a line, in [sections]. */
#pragma once

#include <stddef.h>
#include <stdio.h>

struct shelf {
	struct item {
		char *key, *value; /* key is "section.name", or "name" outside of sections */
	} * items;
	size_t count, room;
};

/* 0, or -1 without memory. The value is copied; an old one is replaced. */
int shelf_set(struct shelf *s, const char *key, const char *value);
/* NULL where there is none; lives until the next change. */
const char *shelf_get(const struct shelf *s, const char *key);
/* 1 when it was there. */
int shelf_remove(struct shelf *s, const char *key);
void shelf_free(struct shelf *s);

/* Adds what the text holds. 0, or the number of the first line that is not understood. */
int shelf_parse(struct shelf *s, const char *text);
/* Sorted by key, grouped in sections. 0, or -1 when writing failed. */
int shelf_print(const struct shelf *s, FILE *to);

/* A file that is missing is an empty shelf. 0, a line number, or -1 with errno. */
int shelf_load(struct shelf *s, const char *path);
/* By a temporary file beside it, renamed into place. 0, or -1 with errno. */
int shelf_save(const struct shelf *s, const char *path);
