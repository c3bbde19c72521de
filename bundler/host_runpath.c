/*
 * The folders that programs and libraries name themselves for the dynamic linker (RUNPATH, RPATH):
 * in host mode they count with what the bundle has of them, and this machine's are not looked into.
 */
#include <string.h>

#include "bundler/host.h"
#include "common/cleanup.h"
#include "common/path.h"

/* As far as it is the same everywhere: an element with another token is one of the machine's. */
static int expand(const char *element, const char *origin, size_t origin_len, struct sb_buf *ret)
{
	static const char *const tokens[] = {"$ORIGIN", "${ORIGIN}"};
	int rc = 0;

	while (*element && rc == 0) {
		const char *end = strchr(element, '$');
		size_t len = end ? (size_t)(end - element) : strlen(element);

		rc = sb_buf_add(ret, element, len);
		element += len;
		if (rc < 0 || !*element)
			break;
		for (size_t i = 0; i < 2; i++) {
			len = strlen(tokens[i]);
			if (strncmp(element, tokens[i], len) == 0)
				break;
			len = 0;
		}
		if (!len)
			return 1;
		rc = sb_buf_add(ret, origin, origin_len);
		element += len;
	}
	return rc;
}

/* Each ".." takes what stands before it. */
static void climb(char *path)
{
	char *to = path;

	for (const char *from = path; *from;) {
		size_t len = 1 + strcspn(from + 1, "/");

		if (len == 3 && strncmp(from, "/..", 3) == 0) {
			while (to > path && *--to != '/')
				;
		} else {
			memmove(to, from, len);
			to += len;
		}
		from += len;
	}
	*to = '\0';
}

static int add(struct sb_map *dirs, const char *path)
{
	int ignored;

	return *path && !sb_map_adds(dirs, path, &ignored) ? -ENOMEM : 0;
}

/* As it is written, and where it leads. */
static int add_dir(struct sb_map *dirs, const char *root, const char *path)
{
	auto_buf clean = SB_BUF_INIT, real = SB_BUF_INIT;
	struct sb_err ignored = SB_ERR_INIT;
	int rc = sb_path_absolute(&clean, "/", path);

	if (rc == 0 &&
	    sb_resolve(root, clean.s, SB_RESOLVE_MISSING, NULL, NULL, &real, &ignored) == 0)
		rc = add(dirs, real.s);
	if (rc < 0)
		return rc;
	climb(clean.s);
	return add(dirs, clean.s);
}

int sb_host_runpath(const struct sb_elf *elf, const char *path, const char *root,
		    struct sb_map *dirs)
{
	const char *list = elf->runpath ? elf->runpath : elf->rpath;
	size_t origin = (size_t)(sb_path_base(path) - path) - 1;
	int rc = 0;

	for (; list && *list && rc >= 0; list += *list == ':') {
		size_t len = strcspn(list, ":");
		auto_free char *element = strndup(list, len);
		auto_buf dir = SB_BUF_INIT;

		list += len;
		rc = element ? expand(element, path, origin, &dir) : -ENOMEM;
		if (rc == 0 && dir.len && dir.s[0] == '/')
			rc = add_dir(dirs, root, dir.s);
	}
	/* A need may be a path itself. */
	for (size_t i = 0; i < elf->dep_count && rc >= 0; i++) {
		const char *name = elf->deps[i].name;
		auto_free char *dir =
			name[0] == '/' ? strndup(name, (size_t)(sb_path_base(name) - name) - 1)
				       : NULL;

		rc = name[0] == '/' && !dir ? -ENOMEM : dir ? add_dir(dirs, root, dir) : 0;
	}
	return rc < 0 ? rc : 0;
}
