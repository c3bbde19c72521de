/*
 * The preload's place taken by libc's text as the collector has made it (tracer/libctext.h): every
 * system call of libc's that names a path comes here then, whoever called libc. A second module
 * costs every exec a third of what tracing costs it.
 *
 * Order: sb_libctext_begin() before ld.so reads what is to be preloaded, sb_libctext_opened() for
 * each object of the program's, sb_libctext_settled() when all is loaded and before any of it
 * runs. Where something stands in the way, the image begins again with the preload.
 */
#pragma once

#include <link.h>
#include <stdbool.h>

void sb_libctext_begin(void);
void sb_libctext_opened(const struct link_map *map);
/* Whether this image is traced so. The environment says again what it said at the start. */
bool sb_libctext_settled(void);
/* Before that: for who begins the image again. */
void sb_libctext_give_back(void);
