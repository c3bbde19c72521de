/*
 * A growing NULL-terminated list of strings that others own: what execve(2) takes. (strv.h has the
 * list that owns its copies.)
 *
 * Starts zeroed. `items` is NULL while the list is empty; sb_strings_list() never is.
 */
#pragma once

#include <stddef.h>

struct sb_strings {
	const char **items;
	size_t count, cap;
};
#define auto_strings __attribute__((cleanup(sb_strings_free))) struct sb_strings

/* 0, or -ENOMEM with the list unchanged. */
int sb_strings_add(struct sb_strings *list, const char *item);
/* For execve: its elements stay the list's. */
char **sb_strings_list(struct sb_strings *list);
void sb_strings_free(struct sb_strings *list);
