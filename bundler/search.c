#include "bundler/search.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/ldconf.h"
#include "bundler/rootfile.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/path.h"

#define MAX_CACHE (64u << 20)

/* A directory that is searched: is it there, and which variants' subdirectories has it. */
struct search_dir {
	bool exists;
	size_t count;
	const char *subdirs[16];
};

/* What one run carries along. */
struct run {
	struct sb_search *s;
	const char *name;
	sb_try_fn try;
	void *arg;
	struct sb_err *err;
	struct sb_buf path;
};

const char *sb_found_name(enum sb_found how)
{
	static const char *const names[SB_FOUND_COUNT] = {
		"not found", "path", "rpath",	"runpath", "LD_LIBRARY_PATH",
		"cache",     "conf", "default", "interp",
	};

	return (unsigned)how < SB_FOUND_COUNT ? names[how] : "unknown";
}

static int no_memory(struct sb_err *err)
{
	return sb_fail(err, ENOMEM, "search a library");
}

static bool is_dir(struct sb_search *s, const char *path)
{
	struct sb_err ignored = SB_ERR_INIT;
	auto_buf real = SB_BUF_INIT;
	auto_buf full = SB_BUF_INIT;
	struct stat st;

	return sb_resolve(s->root, path, 0, NULL, NULL, &real, &ignored) == 0 &&
	       sb_in_root(&full, s->root, real.s) == 0 && stat(full.s, &st) == 0 &&
	       S_ISDIR(st.st_mode);
}

/* Looks a directory up, once. NULL: out of memory. */
static const struct search_dir *dir_of(struct sb_search *s, const char *path)
{
	auto_buf sub = SB_BUF_INIT;
	int new;
	struct sb_map_entry *e = sb_map_adds(&s->subdirs, path, &new);
	struct search_dir *dir = e ? e->value : NULL;

	if (!e || dir)
		return dir;
	e->value = dir = calloc(1, sizeof *dir);
	if (!dir)
		return NULL;
	dir->exists = is_dir(s, path);
	if (!dir->exists || !s->arch || s->linker->libc == SB_LIBC_MUSL)
		return dir;
	const char *const *lists[] = {s->arch->hwcaps, s->arch->legacy};
	for (int l = 0; l < (s->linker->legacy_hwcaps ? 2 : 1); l++) {
		for (size_t i = 0; lists[l][i]; i++) {
			sb_buf_cut(&sub, 0);
			if (sb_buf_printf(&sub, "%s/%s%s", path, l ? "" : "glibc-hwcaps/",
					  lists[l][i]) < 0)
				return NULL;
			if (is_dir(s, sub.s))
				dir->subdirs[dir->count++] = lists[l][i];
		}
	}
	return dir;
}

static bool is_legacy(const struct sb_search *s, const char *subdir)
{
	for (size_t i = 0; s->arch->legacy[i]; i++)
		if (s->arch->legacy[i] == subdir)
			return true;
	return false;
}

static int in_dir(struct run *run, const char *path, enum sb_found how, bool variant)
{
	const struct search_dir *dir = dir_of(run->s, path);
	const char *slash = strcmp(path, "/") == 0 ? "" : path;

	if (!dir)
		return no_memory(run->err);
	if (!dir->exists)
		return 0;
	for (size_t i = 0; i < dir->count; i++) {
		sb_buf_cut(&run->path, 0);
		if (sb_buf_printf(&run->path, "%s/%s%s/%s", slash,
				  is_legacy(run->s, dir->subdirs[i]) ? "" : "glibc-hwcaps/",
				  dir->subdirs[i], run->name) < 0)
			return no_memory(run->err);
		int rc = run->try(run->arg, run->path.s, how, true, run->err);
		if (rc < 0)
			return rc;
	}
	sb_buf_cut(&run->path, 0);
	if (sb_buf_printf(&run->path, "%s/%s", slash, run->name) < 0)
		return no_memory(run->err);
	int rc = run->try(run->arg, run->path.s, how, variant, run->err);
	return variant && rc > 0 ? 0 : rc;
}

static int in_dirs(struct run *run, const struct sb_map *dirs, enum sb_found how)
{
	for (size_t i = 0; i < dirs->count; i++) {
		int rc = in_dir(run, dirs->entries[i].key, how, dirs->entries[i].value != NULL);

		if (rc)
			return rc;
	}
	return 0;
}

/* Where an object was loaded from, for $ORIGIN. */
static int origin_of(const struct sb_object *o, struct sb_buf *ret)
{
	/* The kernel tells the program's real name; a library goes by the name it was opened by. */
	const char *path = o->loader ? o->name : o->real;
	const char *slash = strrchr(path, '/');

	return sb_buf_add(ret, path, slash == path ? 1 : (size_t)(slash - path));
}

static int own_dirs(struct run *run, struct sb_object *o)
{
	const char *list = o->elf->runpath ? o->elf->runpath : o->elf->rpath;
	auto_buf origin = SB_BUF_INIT;
	auto_buf owner = SB_BUF_INIT;

	if (o->dirs_known)
		return 0;
	o->dirs_known = true;
	if (!list)
		return 0;
	if (origin_of(o, &origin) < 0 ||
	    sb_buf_printf(&owner, "the %s of '%s'", o->elf->runpath ? "RUNPATH" : "RPATH",
			  o->real) < 0)
		return no_memory(run->err);
	return sb_search_expand(run->s->linker, run->s->arch, list, ":", origin.s, owner.s,
				&o->dirs, run->err);
}

static int in_own(struct run *run, struct sb_object *o)
{
	int rc = own_dirs(run, o);

	if (rc < 0)
		return rc;
	return in_dirs(run, &o->dirs, o->elf->runpath ? SB_FOUND_RUNPATH : SB_FOUND_RPATH);
}

/* RPATHs: the loader's, its loader's, ..., the program's; unless the loader has a RUNPATH. */
static int in_rpaths(struct run *run, struct sb_object *loader)
{
	bool saw_program = false;
	struct sb_object *program = run->s->program;
	int rc = 0;

	if (loader->elf->runpath)
		return 0;
	for (struct sb_object *o = loader; o && rc == 0; o = o->loader) {
		saw_program |= o == program;
		if (o->elf->rpath)
			rc = in_own(run, o);
	}
	if (rc == 0 && !saw_program && program->elf->rpath)
		rc = in_own(run, program);
	return rc;
}

static int in_cache(struct run *run, bool nodeflib)
{
	struct sb_search *s = run->s;
	const char *path;
	size_t at = 0;
	bool variant;

	while ((path = sb_ldcache_next(&s->cache, &at, run->name,
				       s->arch ? s->arch->cache_flags : 0, &variant))) {
		bool excluded = false;

		/* DF_1_NODEFLIB holds for what the cache has from the default directories, too. */
		for (size_t i = 0; nodeflib && i < s->linker->system_dirs.count; i++)
			excluded |= sb_path_below(path, s->linker->system_dirs.entries[i].key);
		if (excluded || *path != '/')
			continue;
		int rc = run->try(run->arg, path, SB_FOUND_CACHE, variant, run->err);
		if (rc < 0)
			return rc;
		/* ld.so takes the first that it may use, and no other if that one fails. */
		if (!variant)
			return rc;
	}
	return 0;
}

static int glibc_search(struct run *run, struct sb_object *loader)
{
	struct sb_search *s = run->s;
	bool nodeflib = loader->elf->nodeflib;
	int rc = in_rpaths(run, loader);

	if (rc == 0)
		rc = in_dirs(run, &s->library_dirs, SB_FOUND_LIBRARY_PATH);
	if (rc == 0 && loader->elf->runpath)
		rc = in_own(run, loader);
	if (rc == 0 && s->have_cache)
		rc = in_cache(run, nodeflib);
	if (rc == 0)
		rc = in_dirs(run, &s->conf_dirs, SB_FOUND_CONF);
	if (rc == 0 && !nodeflib)
		rc = in_dirs(run, &s->linker->system_dirs, SB_FOUND_DEFAULT);
	return rc;
}

/* musl: the environment first, then RPATH and RUNPATH alike, inherited from all that asked. */
static int musl_search(struct run *run, struct sb_object *loader)
{
	struct sb_search *s = run->s;
	int rc = in_dirs(run, &s->library_dirs, SB_FOUND_LIBRARY_PATH);

	for (struct sb_object *o = loader; o && rc == 0; o = o->loader)
		rc = in_own(run, o);
	if (rc == 0)
		rc = in_dirs(run, &s->linker->system_dirs, SB_FOUND_DEFAULT);
	return rc;
}

/* A name with a slash is a path, tokens and all (glibc: elf/dl-load.c, expand_dst). */
static int by_path(struct run *run, struct sb_object *loader)
{
	auto_buf origin = SB_BUF_INIT;
	auto_buf owner = SB_BUF_INIT;
	auto_map paths = SB_MAP_INIT;

	if (origin_of(loader, &origin) < 0 || sb_buf_printf(&owner, "'%s'", loader->real) < 0)
		return no_memory(run->err);
	int rc = sb_search_expand(run->s->linker, run->s->arch, run->name, "", origin.s, owner.s,
				  &paths, run->err);
	for (size_t i = 0; i < paths.count && rc >= 0; i++) {
		bool variant = paths.entries[i].value != NULL;

		rc = run->try(run->arg, paths.entries[i].key, SB_FOUND_PATH, variant, run->err);
		if (rc > 0 && !variant)
			return rc;
	}
	return rc < 0 ? rc : 0;
}

int sb_search_run(struct sb_search *s, struct sb_object *loader, const char *name, sb_try_fn try,
		  void *arg, struct sb_err *err)
{
	struct run run = {.s = s, .name = name, .try = try, .arg = arg, .err = err};
	int rc;

	if (strchr(name, '/'))
		rc = by_path(&run, loader);
	else if (s->linker->libc == SB_LIBC_MUSL)
		rc = musl_search(&run, loader);
	else
		rc = glibc_search(&run, loader);
	sb_buf_free(&run.path);
	return rc;
}

static int open_cache(struct sb_search *s, struct sb_err *err)
{
	struct sb_err why = SB_ERR_INIT;
	int rc = s->linker->cache
			 ? sb_root_read(s->root, s->linker->cache, MAX_CACHE, &s->cache_bytes, &why)
			 : -ENOENT;

	if (rc == 0 && s->cache_bytes.s &&
	    sb_ldcache_parse(&s->cache, s->cache_bytes.s, s->cache_bytes.len) == 0) {
		s->have_cache = true;
		return 0;
	}
	if (rc != -ENOENT)
		sb_log(SB_LOG_WARN, "'%s%s' cannot be read: going by ld.so.conf instead", s->root,
		       s->linker->cache);
	/* What ldconfig would have put into it. */
	return sb_ldconf_read(s->root, "/etc/ld.so.conf", &s->conf_dirs, err);
}

int sb_search_init(struct sb_search *s, struct sb_err *err)
{
	bool config = s->linker->libc == SB_LIBC_GLIBC && !s->inside_only;

	return config ? open_cache(s, err) : 0;
}

int sb_search_program(struct sb_search *s, struct sb_object *program, struct sb_err *err)
{
	const char *separators = s->linker->libc == SB_LIBC_MUSL ? ":\n" : ":;";
	auto_buf origin = SB_BUF_INIT;

	s->program = program;
	sb_map_free(&s->library_dirs);
	if (!s->library_path)
		return 0;
	if (origin_of(program, &origin) < 0)
		return no_memory(err);
	return sb_search_expand(s->linker, s->arch, s->library_path, separators, origin.s,
				"LD_LIBRARY_PATH", &s->library_dirs, err);
}

void sb_search_free(struct sb_search *s)
{
	for (size_t i = 0; i < s->subdirs.count; i++)
		free(s->subdirs.entries[i].value);
	sb_map_free(&s->subdirs);
	sb_map_free(&s->library_dirs);
	sb_map_free(&s->conf_dirs);
	sb_buf_free(&s->cache_bytes);
}
