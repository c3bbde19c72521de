/*
 * A growing NULL-terminated list of strings that others own: what execve(2) takes.
 *
 * Starts zeroed. `items` is NULL while the list is empty; launch_strings_list() never is.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct launch_strings {
	const char **items;
	size_t count, cap;
};

/* 0, or -ENOMEM with the list unchanged. */
int launch_strings_add(struct launch_strings *list, const char *item);
/* For execve: its elements stay the list's. */
char **launch_strings_list(struct launch_strings *list);
void launch_strings_free(struct launch_strings *list);
