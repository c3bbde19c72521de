#include "bundler/ldconf.h"

#include <ctype.h>
#include <dirent.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>

#include "bundler/rootfile.h"
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/path.h"

#define MAX_DEPTH 10
#define MAX_BYTES (1u << 20)
#define MAX_FILES 4096

struct conf {
	const char *root;
	struct sb_map *dirs;
	struct sb_err *err;
	int depth;
	unsigned files;
};

static int read_conf(struct conf *conf, const char *path);

static int no_memory(struct conf *conf)
{
	return sb_fail(conf->err, ENOMEM, "read ld.so.conf");
}

/* The names in `dir` that match `pattern`, sorted. */
static int matches(struct conf *conf, const char *dir, const char *pattern, struct sb_map *names)
{
	auto_buf real = SB_BUF_INIT;
	auto_buf full = SB_BUF_INIT;
	struct sb_err ignored = SB_ERR_INIT;
	const struct dirent *entry;

	if (sb_resolve(conf->root, dir, 0, NULL, NULL, &real, &ignored) < 0)
		return 0;
	if (sb_in_root(&full, conf->root, real.s) < 0)
		return no_memory(conf);
	auto_dir DIR *open = opendir(full.s);
	while (open && (entry = readdir(open)))
		if (fnmatch(pattern, entry->d_name, FNM_PERIOD) == 0 &&
		    !sb_map_adds(names, entry->d_name, NULL))
			return no_memory(conf);
	sb_map_sort(names);
	return 0;
}

/* Reads all files that base + rest stands for; component by component, so that links stay inside
 * the root. */
static int include(struct conf *conf, const char *base, const char *rest)
{
	rest += strspn(rest, "/");
	size_t len = strcspn(rest, "/");
	if (!len)
		return read_conf(conf, base);
	auto_buf component = SB_BUF_INIT;
	auto_map names = SB_MAP_INIT;
	if (sb_buf_add(&component, rest, len) < 0)
		return no_memory(conf);
	if (strpbrk(component.s, "*?[")) {
		int rc = matches(conf, *base ? base : "/", component.s, &names);

		if (rc < 0)
			return rc;
	} else if (!sb_map_adds(&names, component.s, NULL)) {
		return no_memory(conf);
	}
	for (size_t i = 0; i < names.count; i++) {
		auto_buf path = SB_BUF_INIT;

		if (sb_buf_printf(&path, "%s/%s", base, names.entries[i].key) < 0)
			return no_memory(conf);
		int rc = include(conf, path.s, rest + len);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int include_all(struct conf *conf, const char *path, char *patterns)
{
	char *pattern;

	while ((pattern = strsep(&patterns, " \t"))) {
		auto_buf full = SB_BUF_INIT;
		const char *slash = strrchr(path, '/');

		if (!*pattern)
			continue;
		/* A relative one is taken from the directory of the file that names it. */
		if (*pattern != '/' && sb_buf_add(&full, path, (size_t)(slash - path) + 1) < 0)
			return no_memory(conf);
		if (sb_buf_puts(&full, pattern) < 0)
			return no_memory(conf);
		int rc = include(conf, "", full.s);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static bool is_word(const char *line, const char *word)
{
	size_t len = strlen(word);

	return strncasecmp(line, word, len) == 0 && (line[len] == ' ' || line[len] == '\t');
}

static int read_line(struct conf *conf, const char *path, char *line)
{
	line[strcspn(line, "#")] = '\0';
	line += strspn(line, " \t\r\v\f");
	size_t len = strlen(line);
	while (len && isspace((unsigned char)line[len - 1]))
		line[--len] = '\0';
	if (is_word(line, "include"))
		return include_all(conf, path, line + strlen("include"));
	if (*line != '/')
		return 0;
	/* "DIR=libc5" is from the days of more than one libc. */
	char *type = strrchr(line, '=');
	if (type && strncasecmp(type, "=libc", 5) == 0)
		*type = '\0';
	auto_buf dir = SB_BUF_INIT;
	if (sb_path_absolute(&dir, "/", line) < 0 || !sb_map_adds(conf->dirs, dir.s, NULL))
		return no_memory(conf);
	return 0;
}

static int read_conf(struct conf *conf, const char *path)
{
	auto_buf text = SB_BUF_INIT;
	struct sb_err ignored = SB_ERR_INIT;
	int rc = 0;

	if (conf->depth >= MAX_DEPTH || ++conf->files > MAX_FILES ||
	    sb_root_read(conf->root, path, MAX_BYTES, &text, &ignored) < 0 || !text.s)
		return 0;
	conf->depth++;
	char *rest = text.s, *line;
	while (rc == 0 && (line = strsep(&rest, "\n")))
		rc = read_line(conf, path, line);
	conf->depth--;
	return rc;
}

int sb_ldconf_read(const char *root, const char *path, struct sb_map *dirs, struct sb_err *err)
{
	struct conf conf = {.root = root, .dirs = dirs, .err = err};

	return read_conf(&conf, path);
}
