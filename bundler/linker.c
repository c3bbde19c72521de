#include "bundler/linker.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/rootfile.h"
#include "common/buf.h"
#include "common/path.h"

#define MAX_LINKER    (16u << 20)
#define MAX_PATH_FILE (1u << 20)

/* The string at p, where it is a path of ordinary characters; 0 where not. */
static size_t path_len(const char *p, const char *end)
{
	const char *start = p;

	if (p >= end || *p != '/')
		return 0;
	while (p < end && (isalnum((unsigned char)*p) || (*p && strchr("/._+-@~", *p))))
		p++;
	return p < end && *p == '\0' ? (size_t)(p - start) : 0;
}

/*
 * glibc keeps its directories in one array, each with its slash at the end: a run of such strings,
 * one right behind the other. Returns the length of the run at p.
 */
static size_t run_of_dirs(const char *p, const char *end, unsigned *ret_dirs)
{
	const char *start = p;
	size_t len;

	*ret_dirs = 0;
	while ((len = path_len(p, end)) > 1 && p[len - 1] == '/' && memmem(p, len, "lib", 3)) {
		p += len + 1;
		++*ret_dirs;
	}
	return (size_t)(p - start);
}

static int set_dirs(struct sb_linker *linker, const char *p, size_t len)
{
	const char *end = p + len;

	sb_map_free(&linker->system_dirs);
	for (; p < end; p += strlen(p) + 1)
		if (!sb_map_add(&linker->system_dirs, p, strlen(p) - 1, NULL))
			return -ENOMEM;
	/* $LIB is the last component of the first one, with "lib/" before a multiarch triplet. */
	const char *first = linker->system_dirs.entries[0].key;
	const char *base = sb_path_base(first);
	if (strncmp(base, "lib", 3) != 0 && base - first >= 5 && memcmp(base - 5, "/lib/", 5) == 0)
		base -= 4;
	linker->lib = sb_map_intern(&linker->strings, base);
	return linker->lib ? 0 : -ENOMEM;
}

int sb_linker_scan(struct sb_linker *linker, const char *bytes, size_t len)
{
	const char *end = bytes + len, *dirs = NULL;
	size_t dirs_len = 0, run;
	unsigned most = 0, count;
	bool named_hwcaps = false, says_legacy = false;

	for (const char *p = bytes; p < end; p++) {
		if (p > bytes && p[-1] != '\0')
			continue;
		size_t path = path_len(p, end);
		if (path > 12 && memcmp(p + path - 12, "/ld.so.cache", 12) == 0) {
			linker->cache = sb_map_intern(&linker->strings, p);
			if (!linker->cache)
				return -ENOMEM;
		}
		run = path ? run_of_dirs(p, end, &count) : 0;
		if (run && count > most) {
			most = count;
			dirs = p;
			dirs_len = run;
		}
	}
	named_hwcaps = memmem(bytes, len, "glibc-hwcaps", 12) != NULL;
	says_legacy = memmem(bytes, len, "Legacy HWCAP", 12) != NULL;
	linker->legacy_hwcaps = says_legacy || !named_hwcaps;
	return dirs ? set_dirs(linker, dirs, dirs_len) : 0;
}

static int add_dir(struct sb_linker *linker, const char *format, const char *word)
{
	auto_buf dir = SB_BUF_INIT;

	for (const char *p = format; *p; p++) {
		int rc = *p == '*' ? sb_buf_puts(&dir, word) : sb_buf_putc(&dir, *p);

		if (rc < 0)
			return rc;
	}
	return sb_map_adds(&linker->system_dirs, sb_buf_str(&dir), NULL) ? 0 : -ENOMEM;
}

/* The usual ones of any distribution: who has no multiarch directories does not miss them. */
static int usual_dirs(struct sb_linker *linker, const struct sb_arch *arch)
{
	static const char *const formats[] = {"/lib/*", "/usr/lib/*", "/*", "/usr/*"};

	for (int i = 0; arch && i < 4; i++) {
		int rc = add_dir(linker, formats[i], i < 2 ? arch->triplet : arch->libdir);

		if (rc < 0)
			return rc;
	}
	if (add_dir(linker, "/lib", "") < 0 || add_dir(linker, "/usr/lib", "") < 0)
		return -ENOMEM;
	linker->lib = arch ? arch->libdir : "lib";
	return 0;
}

/* Entries are parted by colons and newlines; an empty file means that nowhere is looked. */
static int split_dirs(struct sb_linker *linker, char *list)
{
	char *dir;

	while ((dir = strsep(&list, ":\n"))) {
		auto_buf clean = SB_BUF_INIT;

		if (*dir != '/')
			continue;
		if (sb_path_absolute(&clean, "/", dir) < 0 ||
		    !sb_map_adds(&linker->system_dirs, clean.s, NULL))
			return -ENOMEM;
	}
	return 0;
}

/*
 * musl's ldso/dynlink.c: the path file lies in ../etc as seen from the directory of the linker as
 * it is named, and is called after it.
 */
static int musl_dirs(struct sb_linker *linker, const char *root)
{
	static const char usual[] = "/lib:/usr/local/lib:/usr/lib";
	struct sb_err ignored = SB_ERR_INIT;
	const char *base = sb_path_base(linker->path);
	size_t prefix = (size_t)(base - linker->path);
	auto_buf file = SB_BUF_INIT;
	auto_buf text = SB_BUF_INIT;

	/* Two slashes back: what is before "/lib/ld-musl-...". */
	prefix -= prefix > 0;
	while (prefix && linker->path[prefix - 1] != '/')
		prefix--;
	prefix -= prefix > 0;
	if (sb_buf_printf(&file, "%.*s/etc/%.*s.path", (int)prefix, linker->path,
			  (int)strcspn(base, "."), base) < 0)
		return -ENOMEM;
	int rc = sb_root_read(root, file.s, MAX_PATH_FILE, &text, &ignored);
	if (rc == -ENOENT && sb_buf_set(&text, usual) < 0)
		return -ENOMEM;
	return text.s ? split_dirs(linker, text.s) : 0;
}

static int glibc_facts(struct sb_linker *linker, const char *root, const struct sb_arch *arch)
{
	struct sb_err ignored = SB_ERR_INIT;
	auto_buf bytes = SB_BUF_INIT;

	linker->cache = "/etc/ld.so.cache";
	if (usual_dirs(linker, arch) < 0)
		return -ENOMEM;
	if (!linker->real || sb_root_read(root, linker->real, MAX_LINKER, &bytes, &ignored) < 0 ||
	    !bytes.s)
		return 0;
	return sb_linker_scan(linker, bytes.s, bytes.len);
}

int sb_linker_read(const char *root, const char *path, const struct sb_arch *arch,
		   struct sb_linker **ret, struct sb_err *err)
{
	struct sb_err ignored = SB_ERR_INIT;
	auto_buf real = SB_BUF_INIT;
	struct sb_linker *linker = calloc(1, sizeof *linker);
	int rc = 0;

	if (!linker)
		return sb_fail(err, ENOMEM, "read '%s'", path);
	linker->path = sb_map_intern(&linker->strings, path);
	if (!linker->path)
		rc = -ENOMEM;
	if (rc == 0 && *path == '/' &&
	    sb_resolve(root, path, 0, NULL, NULL, &real, &ignored) == 0) {
		linker->real = sb_map_intern(&linker->strings, real.s);
		rc = linker->real ? 0 : -ENOMEM;
	}
	if (rc == 0 && strncmp(sb_path_base(path), "ld-musl-", 8) == 0) {
		linker->libc = SB_LIBC_MUSL;
		linker->lib = "lib";
		rc = musl_dirs(linker, root);
	} else if (rc == 0) {
		rc = glibc_facts(linker, root, arch);
	}
	if (rc < 0) {
		sb_linker_free(linker);
		return sb_fail(err, ENOMEM, "read '%s'", path);
	}
	*ret = linker;
	return 0;
}

void sb_linker_free(struct sb_linker *linker)
{
	if (!linker)
		return;
	sb_map_free(&linker->system_dirs);
	sb_map_free(&linker->strings);
	free(linker);
}
