#include "common/strv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int sb_strv_insert(struct sb_strv *list, size_t at, const char *s, size_t len)
{
	if (list->count + 1 >= list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 8;
		char **grown = reallocarray(list->items, cap, sizeof *grown);

		if (!grown)
			return -ENOMEM;
		list->items = grown;
		list->cap = cap;
		grown[list->count] = NULL;
	}
	char *copy = strndup(s, len);
	if (!copy)
		return -ENOMEM;
	memmove(list->items + at + 1, list->items + at,
		(list->count - at + 1) * sizeof *list->items);
	list->items[at] = copy;
	list->count++;
	return 0;
}

int sb_strv_add(struct sb_strv *list, const char *s)
{
	return sb_strv_insert(list, list->count, s, strlen(s));
}

void sb_strv_free(struct sb_strv *list)
{
	int saved = errno;

	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct sb_strv)SB_STRV_INIT;
	errno = saved;
}
