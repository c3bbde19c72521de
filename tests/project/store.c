#include "shelf.h"

#include <stdlib.h>
#include <string.h>

static struct item *find(const struct shelf *s, const char *key)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->items[i].key, key) == 0)
			return &s->items[i];
	return NULL;
}

int shelf_set(struct shelf *s, const char *key, const char *value)
{
	struct item *item = find(s, key);
	char *copy = strdup(value);

	if (!copy)
		return -1;
	if (item) {
		free(item->value);
		item->value = copy;
		return 0;
	}
	if (s->count == s->room) {
		size_t room = s->room ? s->room * 2 : 8;
		struct item *grown = realloc(s->items, room * sizeof *grown);

		if (!grown) {
			free(copy);
			return -1;
		}
		s->items = grown;
		s->room = room;
	}
	item = &s->items[s->count];
	item->key = strdup(key);
	item->value = copy;
	if (!item->key) {
		free(copy);
		return -1;
	}
	s->count++;
	return 0;
}

const char *shelf_get(const struct shelf *s, const char *key)
{
	const struct item *item = find(s, key);

	return item ? item->value : NULL;
}

int shelf_remove(struct shelf *s, const char *key)
{
	struct item *item = find(s, key);

	if (!item)
		return 0;
	free(item->key);
	free(item->value);
	*item = s->items[--s->count];
	return 1;
}

void shelf_free(struct shelf *s)
{
	for (size_t i = 0; i < s->count; i++) {
		free(s->items[i].key);
		free(s->items[i].value);
	}
	free(s->items);
	*s = (struct shelf){NULL, 0, 0};
}
