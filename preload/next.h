/* Symbols, found by reading what ld.so has mapped: no import of dlsym, whose version differs among
 * libcs. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct link_map;

/* The address of `name` where `map` defines it, by its default version; NULL. An IFUNC is asked. */
void *sb_map_symbol(const struct link_map *map, const char *name);
/* The same of a plain function, and its length. */
void *sb_map_function(const struct link_map *map, const char *name, size_t *ret_size);
/* The program's own namespace, in the order of search; NULL where it is not known. */
const struct link_map *sb_maps(void);
/* From now on sb_next() looks there alone: for the audit module, which stands in no search order of
 * the program's. */
void sb_next_in(const struct link_map *map);
