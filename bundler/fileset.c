#include "bundler/fileset.h"

#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/map.h"
#include "common/path.h"

struct sb_fileset_index {
	struct sb_map by_path; /* value: index + 1 */
	struct sb_map strings; /* every other string of the set */
	struct sb_buf scratch;
	size_t item_cap;
	char *root;
};

const char *sb_why_name(enum sb_why why)
{
	static const char *const names[SB_WHY_COUNT] = {
		"entry",  "script", "interp", "needed", "filter",   "dlopen", "config",
		"traced", "link",   "parent", "copied", "included", "target",
	};

	return (unsigned)why < SB_WHY_COUNT ? names[why] : "unknown";
}

int sb_fileset_new(const char *root, struct sb_fileset **ret, struct sb_err *err)
{
	struct sb_fileset *fs = calloc(1, sizeof *fs);
	struct sb_fileset_index *index = calloc(1, sizeof *index);
	size_t len = strlen(root);

	while (len && root[len - 1] == '/')
		len--;
	if (fs && index)
		index->root = strndup(root, len);
	if (!fs || !index || !index->root) {
		free(fs);
		free(index);
		return sb_fail(err, ENOMEM, "make a file set");
	}
	fs->root = index->root;
	fs->index = index;
	*ret = fs;
	return 0;
}

void sb_fileset_free(struct sb_fileset *fs)
{
	if (!fs)
		return;
	for (size_t i = 0; i < fs->count; i++)
		free(fs->items[i].reasons);
	free(fs->items);
	sb_map_free(&fs->index->by_path);
	sb_map_free(&fs->index->strings);
	sb_buf_free(&fs->index->scratch);
	free(fs->index->root);
	free(fs->index);
	free(fs);
}

struct sb_item *sb_fileset_find(const struct sb_fileset *fs, const char *path)
{
	const struct sb_map_entry *e = sb_map_finds(&fs->index->by_path, path);

	return e && e->value ? &fs->items[(uintptr_t)e->value - 1] : NULL;
}

/* Interns; NULL stays NULL, and is success. */
static int intern(struct sb_fileset *fs, const char *s, const char **ret)
{
	*ret = s ? sb_map_intern(&fs->index->strings, s) : NULL;
	return s && !*ret ? -ENOMEM : 0;
}

static int add_reason(struct sb_fileset *fs, struct sb_item *item, const struct sb_reason *why)
{
	struct sb_reason own = {.why = why->why};
	/* Which file a link or directory leads to is told for the first one only: /usr leads to
	 * all. */
	bool once = why->why == SB_WHY_LINK || why->why == SB_WHY_PARENT;

	if (intern(fs, why->from, &own.from) < 0 || intern(fs, why->detail, &own.detail) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < item->reason_count; i++) {
		const struct sb_reason *old = &item->reasons[i];

		if (old->why == own.why &&
		    (once || (old->from == own.from && old->detail == own.detail)))
			return 0;
	}
	/* Room for 1, 2, 4, 8...: most items have one reason. */
	if ((item->reason_count & (item->reason_count - 1)) == 0) {
		size_t cap = item->reason_count ? item->reason_count * 2 : 1;
		void *grown = reallocarray(item->reasons, cap, sizeof *item->reasons);

		if (!grown)
			return -ENOMEM;
		item->reasons = grown;
	}
	item->reasons[item->reason_count++] = own;
	return 0;
}

static enum sb_item_type type_of(mode_t mode)
{
	return S_ISDIR(mode) ? SB_ITEM_DIR : S_ISLNK(mode) ? SB_ITEM_LINK : SB_ITEM_FILE;
}

/* An empty item under a new path. */
static struct sb_item *append(struct sb_fileset *fs, const char *path)
{
	if (fs->count == fs->index->item_cap) {
		size_t cap = fs->count ? fs->count * 2 : 256;
		void *grown = reallocarray(fs->items, cap, sizeof *fs->items);

		if (!grown)
			return NULL;
		fs->items = grown;
		fs->index->item_cap = cap;
	}
	struct sb_map_entry *e = sb_map_adds(&fs->index->by_path, path, NULL);
	if (!e)
		return NULL;
	struct sb_item *item = &fs->items[fs->count++];
	*item = (struct sb_item){.path = e->key};
	e->value = (void *)(uintptr_t)fs->count;
	return item;
}

/* Sets what is known of an item from its source. */
static int fill(struct sb_fileset *fs, struct sb_item *item, const char *source,
		const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n = 0;

	if (S_ISLNK(st->st_mode)) {
		n = readlink(source, target, sizeof target - 1);
		if (n < 0)
			return -errno;
	}
	target[n] = '\0';
	if (intern(fs, source, &item->source) < 0 ||
	    intern(fs, n ? target : NULL, &item->target) < 0)
		return -ENOMEM;
	item->st = *st;
	item->type = type_of(st->st_mode);
	return 0;
}

static bool is_kept_type(mode_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode);
}

/*
 * Adds one path whose directories are real and known. `source` NULL: root + path. `missing`: a
 * directory that this machine does not have is made up. 1 new, 0 was there.
 */
static int add_one(struct sb_fileset *fs, const char *path, const char *source, bool missing,
		   const struct sb_reason *why, struct sb_err *err)
{
	struct sb_item *item = sb_fileset_find(fs, path);
	struct stat st;
	int rc;

	if (item)
		return add_reason(fs, item, why) < 0 ? sb_fail(err, ENOMEM, "add '%s'", path) : 0;
	if (!source) {
		if (sb_in_root(&fs->index->scratch, fs->root, path) < 0)
			return sb_fail(err, ENOMEM, "add '%s'", path);
		source = fs->index->scratch.s;
	}
	bool there = lstat(source, &st) == 0;
	if (!there && (errno != ENOENT || !missing))
		return sb_fail(err, errno, "look at '%s'", source);
	if (there && !is_kept_type(st.st_mode))
		return sb_fail(err, ENOTSUP, "'%s' is neither file, directory nor symlink", source);
	item = append(fs, path);
	if (!item)
		return sb_fail(err, ENOMEM, "add '%s'", path);
	if (there) {
		rc = fill(fs, item, source, &st);
	} else {
		item->type = SB_ITEM_DIR;
		item->st.st_mode = S_IFDIR | 0755;
		rc = 0;
	}
	if (rc == 0)
		rc = add_reason(fs, item, why);
	return rc < 0 ? sb_fail(err, -rc, "add '%s'", path) : 1;
}

/* Every directory above `path`, from the root down. */
static int add_parents(struct sb_fileset *fs, const char *path, bool missing, struct sb_err *err)
{
	struct sb_reason why = {.why = SB_WHY_PARENT, .from = path};
	auto_free char *dir = strdup(path);

	if (!dir)
		return sb_fail(err, ENOMEM, "add '%s'", path);
	for (char *slash = dir; slash; slash = strchr(slash + 1, '/')) {
		char kept = slash == dir ? slash[1] : slash[0];

		if (slash == dir && !kept)
			return 0; /* the root itself has nothing above it */
		*(slash == dir ? slash + 1 : slash) = '\0';
		int rc = sb_fileset_find(fs, dir) ? 0 : add_one(fs, dir, NULL, missing, &why, err);
		*(slash == dir ? slash + 1 : slash) = kept;
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The symlinks met on the way, in order. */
static int note_hop(void *arg, const char *link, const char *target, struct sb_err *err)
{
	struct sb_map *hops = arg;

	(void)target;
	return sb_map_adds(hops, link, NULL) ? 0 : sb_fail(err, ENOMEM, "follow '%s'", link);
}

/* A directory that a path goes into and out of again (in/../lib) has to be there, too. */
static int add_ways(struct sb_fileset *fs, const char *path, struct sb_err *err)
{
	struct sb_reason why = {.why = SB_WHY_PARENT, .from = path};

	for (const char *up = strstr(path, "/.."); up; up = strstr(up + 1, "/..")) {
		if (up == path || (up[3] && up[3] != '/'))
			continue;
		auto_free char *way = strndup(path, (size_t)(up - path));
		if (!way)
			return sb_fail(err, ENOMEM, "add '%s'", path);
		int rc = sb_fileset_add(fs, way, 0, &why, NULL, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* What a link says, from where it stands. */
static int add_ways_of_link(struct sb_fileset *fs, const char *link, struct sb_err *err)
{
	const char *target = sb_fileset_find(fs, link)->target;
	auto_buf full = SB_BUF_INIT;

	if (!target || !strstr(target, "/.."))
		return 0;
	if (target[0] != '/' &&
	    sb_buf_printf(&full, "%.*s/", (int)(strrchr(link, '/') - link), link) < 0)
		return sb_fail(err, ENOMEM, "follow '%s'", link);
	return sb_buf_puts(&full, target) < 0 ? sb_fail(err, ENOMEM, "follow '%s'", link)
					      : add_ways(fs, full.s, err);
}

static int add_hops(struct sb_fileset *fs, const struct sb_map *hops, const char *real,
		    struct sb_err *err)
{
	struct sb_reason why = {.why = SB_WHY_LINK, .from = real};

	for (size_t i = 0; i < hops->count; i++) {
		const char *link = hops->entries[i].key;
		int rc = add_parents(fs, link, false, err);

		if (rc == 0)
			rc = add_one(fs, link, NULL, false, &why, err);
		if (rc >= 0)
			rc = add_ways_of_link(fs, link, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/*
 * Whether `path` stands in a directory that is known to be real: then only its last component can
 * be a symlink, and most of the look-ups of sb_resolve() are saved.
 */
static bool parent_is_known(const struct sb_fileset *fs, const char *path)
{
	const char *slash = strrchr(path, '/');
	size_t len = (size_t)(slash - path);
	const struct sb_map_entry *e;

	if (!slash[1] || strcmp(slash, "/.") == 0 || strcmp(slash, "/..") == 0)
		return false;
	e = sb_map_find(&fs->index->by_path, len ? path : "/", len ? len : 1);
	return e && e->value && fs->items[(uintptr_t)e->value - 1].type == SB_ITEM_DIR;
}

static int resolve(struct sb_fileset *fs, const char *path, unsigned flags, struct sb_map *hops,
		   struct sb_buf *ret_real, struct sb_err *err)
{
	if (parent_is_known(fs, path)) {
		struct stat st;

		if (sb_in_root(&fs->index->scratch, fs->root, path) < 0 ||
		    sb_buf_set(ret_real, path) < 0)
			return sb_fail(err, ENOMEM, "add '%s'", path);
		if (lstat(fs->index->scratch.s, &st) < 0)
			return sb_fail(err, errno, "look at '%s'", fs->index->scratch.s);
		if (!S_ISLNK(st.st_mode) || flags & SB_RESOLVE_NOFOLLOW)
			return 0;
	}
	return sb_resolve(fs->root, path, flags, note_hop, hops, ret_real, err);
}

int sb_fileset_add(struct sb_fileset *fs, const char *path, unsigned flags,
		   const struct sb_reason *why, const char **ret_real, struct sb_err *err)
{
	auto_map hops = SB_MAP_INIT;
	auto_buf real = SB_BUF_INIT;
	struct sb_item *item = sb_fileset_find(fs, path);
	bool known = item && (item->type != SB_ITEM_LINK || flags & SB_FILESET_NOFOLLOW);
	int rc = known ? sb_buf_set(&real, path)
		       : resolve(fs, path, flags & SB_FILESET_NOFOLLOW ? SB_RESOLVE_NOFOLLOW : 0,
				 &hops, &real, err);

	if (rc == 0 && !known) {
		struct stat st;

		/* Before anything is added: what is not there must leave no trace. */
		if (sb_in_root(&fs->index->scratch, fs->root, real.s) < 0)
			return sb_fail(err, ENOMEM, "add '%s'", path);
		if (lstat(fs->index->scratch.s, &st) < 0)
			return sb_fail(err, errno, "look at '%s'", fs->index->scratch.s);
		if (!is_kept_type(st.st_mode))
			return sb_fail(err, ENOTSUP, "'%s' is neither file, directory nor symlink",
				       fs->index->scratch.s);
		rc = add_hops(fs, &hops, real.s, err);
		if (rc == 0)
			rc = add_parents(fs, real.s, false, err);
		if (rc == 0)
			rc = add_ways(fs, path, err);
	}
	if (rc == 0)
		rc = add_one(fs, real.s, NULL, false, why, err);
	if (rc >= 0 && ret_real)
		*ret_real = sb_fileset_find(fs, real.s)->path;
	return rc;
}

/* A source that is given by name wins over what this machine has there. */
static int replace(struct sb_fileset *fs, struct sb_item *item, const char *source,
		   const struct sb_reason *why, struct sb_err *err)
{
	struct stat st;
	int rc;

	if (lstat(source, &st) < 0)
		return sb_fail(err, errno, "look at '%s'", source);
	if ((item->type == SB_ITEM_DIR) != !!S_ISDIR(st.st_mode))
		return sb_fail(err, EEXIST, "'%s' is to be '%s', which is %s", source, item->path,
			       item->type == SB_ITEM_DIR ? "a directory" : "no directory");
	if (!is_kept_type(st.st_mode))
		return sb_fail(err, ENOTSUP, "'%s' is neither file, directory nor symlink", source);
	rc = fill(fs, item, source, &st);
	if (rc == 0)
		rc = add_reason(fs, item, why);
	return rc < 0 ? sb_fail(err, -rc, "add '%s'", source) : 0;
}

/* Finds where `path` is to be, and adds what leads there, made up where this machine has it not. */
static int add_way(struct sb_fileset *fs, const char *path, struct sb_buf *ret_real,
		   struct sb_err *err)
{
	auto_map hops = SB_MAP_INIT;
	int rc = sb_resolve(fs->root, path, SB_RESOLVE_NOFOLLOW | SB_RESOLVE_MISSING, note_hop,
			    &hops, ret_real, err);

	if (rc == 0)
		rc = add_hops(fs, &hops, ret_real->s, err);
	return rc == 0 ? add_parents(fs, ret_real->s, true, err) : rc;
}

int sb_fileset_add_from(struct sb_fileset *fs, const char *path, const char *source,
			const struct sb_reason *why, struct sb_err *err)
{
	auto_buf real = SB_BUF_INIT;
	struct sb_item *item;
	int rc = add_way(fs, path, &real, err);

	if (rc < 0)
		return rc;
	item = sb_fileset_find(fs, real.s);
	return item ? replace(fs, item, source, why, err)
		    : add_one(fs, real.s, source, false, why, err);
}

int sb_fileset_add_empty(struct sb_fileset *fs, const char *path, const struct sb_reason *why,
			 struct sb_err *err)
{
	auto_buf real = SB_BUF_INIT;
	struct sb_item *item;
	int rc = add_way(fs, path, &real, err);

	if (rc < 0)
		return rc;
	item = sb_fileset_find(fs, real.s);
	if (item && item->type == SB_ITEM_DIR)
		return sb_fail(err, EISDIR, "'%s' is to be a file", path);
	if (!item)
		item = append(fs, real.s);
	if (!item || add_reason(fs, item, why) < 0)
		return sb_fail(err, ENOMEM, "add '%s'", path);
	item->type = SB_ITEM_FILE;
	item->source = item->target = NULL;
	item->st = (struct stat){.st_mode = S_IFREG | 0644};
	return 0;
}

int sb_fileset_add_link(struct sb_fileset *fs, const char *path, const char *target,
			const struct sb_reason *why, struct sb_err *err)
{
	auto_buf real = SB_BUF_INIT;
	struct sb_item *item;
	int rc = add_way(fs, path, &real, err);

	if (rc < 0)
		return rc;
	if (sb_fileset_find(fs, real.s))
		return 0;
	item = append(fs, real.s);
	if (!item || intern(fs, target, &item->target) < 0 || add_reason(fs, item, why) < 0)
		return sb_fail(err, ENOMEM, "add '%s'", path);
	item->type = SB_ITEM_LINK;
	item->st = (struct stat){.st_mode = S_IFLNK | 0777};
	return 0;
}

/* Where each path is now, after items moved. */
static void renumber(struct sb_fileset *fs)
{
	for (size_t i = 0; i < fs->index->by_path.count; i++)
		fs->index->by_path.entries[i].value = NULL;
	for (size_t i = 0; i < fs->count; i++)
		sb_map_finds(&fs->index->by_path, fs->items[i].path)->value =
			(void *)(uintptr_t)(i + 1);
}

void sb_fileset_filter(struct sb_fileset *fs, bool (*keep)(void *arg, const struct sb_item *item),
		       void *arg)
{
	size_t kept = 0;

	for (size_t i = 0; i < fs->count; i++) {
		if (keep(arg, &fs->items[i]))
			fs->items[kept++] = fs->items[i];
		else
			free(fs->items[i].reasons);
	}
	fs->count = kept;
	renumber(fs);
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct sb_item *)a)->path, ((const struct sb_item *)b)->path);
}

void sb_fileset_sort(struct sb_fileset *fs)
{
	if (fs->count)
		qsort(fs->items, fs->count, sizeof *fs->items, by_path);
	renumber(fs);
}
