#include "common/strings.h"

#include <errno.h>
#include <stdlib.h>

int sb_strings_add(struct sb_strings *list, const char *item)
{
	if (list->count + 1 >= list->cap) {
		size_t cap = list->cap ? list->cap * 2 : 16;
		const char **grown = realloc(list->items, cap * sizeof *grown);

		if (!grown)
			return -ENOMEM;
		list->items = grown;
		list->cap = cap;
	}
	list->items[list->count++] = item;
	list->items[list->count] = NULL;
	return 0;
}

char **sb_strings_list(struct sb_strings *list)
{
	static const char *none[] = {NULL};

	/* execve's prototype lacks the const that it keeps to. */
	return (char **)(list->items ? list->items : none);
}

void sb_strings_free(struct sb_strings *list)
{
	free(list->items);
	*list = (struct sb_strings){NULL, 0, 0};
}
