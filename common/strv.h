/*
 * A list of strings that owns its copies: arguments, mostly. `items` is NULL-terminated as soon as
 * something was added; before that, it is NULL.
 */
#pragma once

#include <stddef.h>

struct sb_strv {
	char **items;
	size_t count, cap;
};

#define SB_STRV_INIT       \
	{                  \
		NULL, 0, 0 \
	}
#define auto_strv __attribute__((cleanup(sb_strv_free))) struct sb_strv

/* Puts a copy of `s` (its first `len` bytes) before item `at`. 0, or -ENOMEM with all as it was. */
int sb_strv_insert(struct sb_strv *list, size_t at, const char *s, size_t len);
int sb_strv_add(struct sb_strv *list, const char *s);
void sb_strv_free(struct sb_strv *list);
