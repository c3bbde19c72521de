/*
 * LD_LIBRARY_PATH. The user's names libraries of this machine, which are not for programs of the
 * bundle; but a traced command, or a program of the bundle, may have set one that names folders of
 * the payload. What was recorded stands in the index, and is looked at where the dynamic linker
 * comes to its default directories; of what the environment has, the payload's folders are left
 * while the dynamic linker reads it.
 */
#include "preload/str.h"
#include "redirect/redirect.h"

static char saved[SB_PATH_MAX], *saved_from;

/* The end of an element, which a ':' or ';' or the string's end follows. */
static const char *end_of(const char *s)
{
	while (*s && *s != ':' && *s != ';')
		s++;
	return s;
}

static bool is_default(const char *path, size_t len)
{
	static const char *const dirs[] = {"/lib/x86_64-linux-gnu",
					   "/usr/lib/x86_64-linux-gnu",
					   "/lib",
					   "/usr/lib",
					   "/lib64",
					   "/usr/lib64"};

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		if (sb_strlen(dirs[i]) == len && sb_starts(path, dirs[i]))
			return true;
	return false;
}

const char *sb_library_first(const char *path, struct sb_place *place)
{
	const char *list = sb_here.base + sb_here.index->library_path, *end;
	const char *base = sb_basename(path);
	char name[SB_PATH_MAX];

	if (!*list || base - path < 2 || !is_default(path, (size_t)(base - path) - 1))
		return NULL;
	for (; *list; list = *end ? end + 1 : end) {
		size_t at = 0;

		end = end_of(list);
		if (!sb_put(name, sizeof(name), &at, list, (size_t)(end - list)) ||
		    !sb_puts(name, sizeof(name), &at, "/") ||
		    !sb_puts(name, sizeof(name), &at, base) || name[0] != '/' ||
		    !sb_look(name, true, place) || !place->entry ||
		    place->entry->type != SB_INDEX_FILE)
			continue;
		return place->entry->flags & SB_INDEX_LIBRARY ? sb_place_in_root(place)
							      : sb_place_in_payload(place);
	}
	return NULL;
}

static bool is_ours(const char *dir, size_t len)
{
	static struct sb_place place;
	static char name[SB_PATH_MAX];
	size_t at = 0;
	const char *cwd = sb_strip(sb_here.real_cwd);

	if (!len)
		return false;
	name[0] = 0;
	if (dir[0] != '/' && (!sb_puts(name, sizeof(name), &at, cwd ? cwd : sb_here.real_cwd) ||
			      !sb_puts(name, sizeof(name), &at, "/")))
		return false;
	if (!sb_put(name, sizeof(name), &at, dir, len))
		return false;
	return sb_is_layered(name) || (sb_look(name, true, &place) && place.entry);
}

bool sb_library_filter(char *value)
{
	size_t at = 0, len = sb_strlen(value);
	char *to = value;

	if (!sb_puts(saved, sizeof(saved), &at, value))
		return false;
	for (const char *s = saved, *end; s < saved + len; s = end + 1) {
		end = end_of(s);
		if (!is_ours(s, (size_t)(end - s)))
			continue;
		if (to > value)
			*to++ = ':';
		sb_copy(to, s, (size_t)(end - s));
		to += end - s;
	}
	*to = 0;
	saved_from = value;
	return to > value;
}

void sb_library_restore(void)
{
	if (saved_from)
		sb_copy(saved_from, saved, sb_strlen(saved) + 1);
	saved_from = NULL;
}
