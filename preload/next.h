/* Symbols, found by reading what ld.so has mapped: no import of dlsym, whose version differs among
 * libcs. */
#pragma once

#include <stdint.h>

struct link_map;

/* The address of `name` where `map` defines it, by its default version; NULL. An IFUNC is asked. */
void *sb_map_symbol(const struct link_map *map, const char *name);
