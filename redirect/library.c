/*
 * LD_LIBRARY_PATH. The user's names libraries of this machine, which are not for programs of the
 * bundle; but a traced command, or a program of the bundle, may have set one that names folders of
 * the payload. What was recorded stands in the index, and is looked at where the dynamic linker
 * comes to its default directories; of what the environment has, the payload's folders are left
 * while the dynamic linker reads it.
 */
#include "preload/arch.h"
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
	static const char *const dirs[] = {"/lib/" SB_ARCH_NAME "-linux-gnu",
					   "/usr/lib/" SB_ARCH_NAME "-linux-gnu",
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

/* Subdirectories that the dynamic linker looks into by itself, by what the processor can do. */
static bool is_variant(const char *name, size_t len)
{
	static const char *const names[] = {"glibc-hwcaps", "x86-64-v2", "x86-64-v3", "x86-64-v4",
					    "tls",	    "haswell",	 "avx512_1",  "xeon_phi",
					    "atomics",	    SB_ARCH_NAME};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (sb_strlen(names[i]) == len && sb_starts(name, names[i]))
			return true;
	return false;
}

/* Of `len` bytes, without "//", "/." and what ".." takes; its new length. */
static size_t clean(char *dir, size_t len)
{
	size_t to = 0;

	for (size_t from = 0, n; from < len; from += n) {
		for (n = 1; from + n < len && dir[from + n] != '/'; n++)
			;
		if (n == 1 || (n == 2 && dir[from + 1] == '.'))
			continue;
		if (n == 3 && dir[from + 1] == '.' && dir[from + 2] == '.') {
			while (to && dir[--to] != '/')
				;
			continue;
		}
		for (size_t i = 0; i < n; i++)
			dir[to++] = dir[from + i];
	}
	dir[to] = 0;
	return to;
}

static bool is_searched(char *dir, size_t len)
{
	const char *list = sb_here.base + sb_here.index->searched, *base;

	len = clean(dir, len);
	for (base = sb_basename(dir); len > 1 && is_variant(base, sb_strlen(base));
	     base = sb_basename(dir)) {
		len -= sb_strlen(base) + 1;
		dir[len] = 0;
	}
	for (const char *end; *list; list = *end ? end + 1 : end) {
		end = end_of(list);
		if ((size_t)(end - list) == len && sb_starts(list, dir))
			return true;
	}
	return false;
}

/* By the name that was given, and by where links of the payload lead from there. */
__attribute__((noinline)) bool sb_library_is_ours(const char *path)
{
	size_t len = (size_t)(sb_basename(path) - path), at = 0;
	struct sb_place place;
	char dir[SB_PATH_MAX];
	const char *so = path + len;

	place.size = 0;
	while (*so && !sb_starts(so, ".so"))
		so++;
	if (!*so || !sb_here.base[sb_here.index->searched] || path[0] != '/' || len < 2 ||
	    !sb_put(dir, sizeof(dir), &at, path, len - 1))
		return false;
	if (sb_look(dir, true, &place) && place.path && is_searched(place.path, place.len))
		return true;
	return is_searched(dir, len - 1);
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
