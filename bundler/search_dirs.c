/* Search paths as they are written, made into directories: tokens, empty and relative elements. */
#include <string.h>

#include "bundler/search.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/path.h"

/* A variant is marked by a value that is not NULL. */
static char variant_mark;

/* Length of the token `word` at p (behind the dollar), braces included; 0 where it is none. */
static size_t token(const char *p, const char *word)
{
	bool braced = *p == '{';
	size_t len = strlen(word);

	p += braced;
	if (strncmp(p, word, len) != 0 || (braced && p[len] != '}'))
		return 0;
	/* "$LIBRARY" is not "$LIB": as glibc has it, lower case and digits end a token. */
	if (!braced && ((p[len] >= 'A' && p[len] <= 'Z') || p[len] == '_'))
		return 0;
	return len + (braced ? 2 : 0);
}

/*
 * One element, with $PLATFORM as `platform`. *ret_used tells whether it occurred. 1: dropped,
 * because it wants an origin that is not known (glibc), or a token that is not known (musl).
 */
static int expand(const struct sb_linker *linker, const char *element, const char *origin,
		  const char *platform, bool *ret_used, struct sb_buf *out)
{
	bool musl = linker->libc == SB_LIBC_MUSL;

	for (const char *p = element; *p;) {
		size_t len;
		int rc;

		if (*p != '$') {
			rc = sb_buf_putc(out, *p++);
		} else if ((len = token(p + 1, "ORIGIN"))) {
			if (!origin)
				return 1;
			rc = sb_buf_puts(out, strcmp(origin, "/") == 0 ? "" : origin);
			p += 1 + len;
		} else if (musl) {
			return 1;
		} else if ((len = token(p + 1, "LIB"))) {
			rc = sb_buf_puts(out, linker->lib);
			p += 1 + len;
		} else if ((len = token(p + 1, "PLATFORM"))) {
			*ret_used = true;
			rc = sb_buf_puts(out, platform);
			p += 1 + len;
		} else {
			rc = sb_buf_putc(out, *p++);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int add(struct sb_map *dirs, const char *path, bool variant, const char *owner)
{
	auto_buf clean = SB_BUF_INIT;
	int new;

	if (*path != '/') {
		sb_log(SB_LOG_WARN,
		       "%s looks in '%s', taken from the current directory of whoever runs it: not "
		       "followed",
		       owner, *path ? path : ".");
		return 0;
	}
	if (sb_path_absolute(&clean, "/", path) < 0)
		return -ENOMEM;
	struct sb_map_entry *e = sb_map_adds(dirs, clean.s, &new);
	if (!e)
		return -ENOMEM;
	if (new &&variant)
		e->value = &variant_mark;
	return 0;
}

static int expand_element(const struct sb_linker *linker, const struct sb_arch *arch,
			  const char *element, const char *origin, const char *owner,
			  struct sb_map *dirs)
{
	static const char *const unknown[] = {"", NULL};
	const char *const *platforms = arch ? arch->platforms : unknown;
	bool used = true;

	for (size_t i = 0; used && platforms[i]; i++) {
		auto_buf path = SB_BUF_INIT;

		used = false;
		int rc = expand(linker, element, origin, platforms[i], &used, &path);
		if (rc == 0)
			rc = add(dirs, sb_buf_str(&path), used && platforms[i + 1], owner);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int sb_search_expand(const struct sb_linker *linker, const struct sb_arch *arch, const char *list,
		     const char *separators, const char *origin, const char *owner,
		     struct sb_map *dirs, struct sb_err *err)
{
	auto_free char *copy = strdup(list);
	char *rest = copy, *element;

	if (!copy)
		return sb_fail(err, ENOMEM, "read the search path of %s", owner);
	/* An empty list is none at all, unlike an empty element. */
	if (!*copy)
		return 0;
	while ((element = strsep(&rest, separators))) {
		/* musl passes over empty elements. */
		if (!*element && linker->libc == SB_LIBC_MUSL)
			continue;
		if (expand_element(linker, arch, element, origin, owner, dirs) < 0)
			return sb_fail(err, ENOMEM, "read the search path of %s", owner);
	}
	return 0;
}
