/*
 * The caller's own directories.
 *
 * A directory where the payload has nothing is bound whole. Where the payload has something, both
 * are shown: the payload's files stay, and what only this machine has is bound one by one beside
 * them. New files in such a mixed directory go to the writable layer.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/path.h"
#include "launcher/view.h"

enum { ROOTS_MAX = 64 };

struct root {
	const char *path;
	const char *dest;
	const char *asked; /* by its path, and where that is: must exist; NULL: taken if there */
};

struct roots {
	struct root items[ROOTS_MAX];
	size_t count;
	char *words; /* SIDEBUNDLE_BIND, cut up */
};

static int add_root(struct roots *roots, const char *path, const char *dest, const char *asked,
		    struct sb_err *err)
{
	if (!path || path[0] != '/')
		return 0;
	if (roots->count == ROOTS_MAX)
		return sb_fail(err, SB_ESAID, "SIDEBUNDLE_BIND: more than %d directories",
			       ROOTS_MAX);
	roots->items[roots->count++] = (struct root){path, dest, asked};
	return 0;
}

/* What create was told to bind. */
static int add_own(const struct launch_view *view, struct roots *roots, struct sb_err *err)
{
	const struct launch_plan *plan = view->plan;
	int rc = 0;

	for (size_t i = 0; plan && i < plan->binds.count && rc == 0; i++)
		rc = add_root(roots, plan->binds.items[i], plan->binds_at.items[i],
			      "the bundle's --bind", err);
	return rc;
}

/* SRC, or SRC=DST: cuts `word` up. A ':' separates words. */
static int add_path(struct roots *roots, char *word, struct sb_err *err)
{
	char *pair = strstr(word, "=/");

	if (pair)
		*pair = '\0';
	return add_root(roots, word, pair ? pair + 1 : word, "SIDEBUNDLE_BIND", err);
}

static int add_word(const struct launch_view *view, struct roots *roots, char *word,
		    struct sb_err *err)
{
	if (strcmp(word, "cwd") == 0)
		return add_root(roots, view->cwd, view->cwd, NULL, err);
	if (strcmp(word, "home") == 0)
		return add_root(roots, view->home, view->home, NULL, err);
	if (strcmp(word, "tmp") == 0) {
		int rc = add_root(roots, "/tmp", "/tmp", NULL, err);

		return rc < 0 ? rc : add_root(roots, view->tmpdir, view->tmpdir, NULL, err);
	}
	if (strcmp(word, "bundle") == 0)
		return add_own(view, roots, err);
	if (word[0] == '/')
		return add_path(roots, word, err);
	if (*word && strcmp(word, "none") != 0)
		return sb_fail(err, SB_ESAID,
			       "SIDEBUNDLE_BIND: '%s' is none of cwd, home, tmp, bundle, none, an "
			       "absolute path "
			       "or SRC=DST (several are separated by ':')",
			       word);
	return 0;
}

static int by_length(const void *a, const void *b)
{
	size_t x = strlen(((const struct root *)a)->dest);
	size_t y = strlen(((const struct root *)b)->dest);

	return (x > y) - (x < y);
}

/* Shorter paths first, so that the deeper one is mounted over it. */
static int choose_roots(const struct launch_view *view, struct roots *ret, struct sb_err *err)
{
	const char *bind = "cwd:home:tmp:bundle";
	int rc = 0;

	if (view->bind)
		bind = view->bind;
	else if (view->entry->cwd)
		bind = "bundle";
	else if (view->plan && view->plan->home)
		bind = "cwd:tmp:bundle";
	ret->words = strdup(bind);
	if (!ret->words)
		return sb_fail(err, ENOMEM, "read SIDEBUNDLE_BIND");
	for (char *next = ret->words, *word; rc == 0 && (word = strsep(&next, ":"));)
		rc = add_word(view, ret, word, err);
	if (rc == 0 && ret->count)
		qsort(ret->items, ret->count, sizeof *ret->items, by_length);
	return rc;
}

/* What the payload has in a directory of its own. */
enum content { CONTENT_NONE, CONTENT_DIRS, CONTENT_FILES };

static enum content content_of(const char *payload, const char *dest)
{
	auto_buf path = SB_BUF_INIT;
	enum content content = CONTENT_NONE;
	struct dirent *d;
	struct stat st;

	if (sb_in_root(&path, payload, dest) < 0)
		return CONTENT_FILES;
	auto_dir DIR *dir = opendir(path.s);
	if (!dir)
		return lstat(path.s, &st) < 0 ? CONTENT_NONE : CONTENT_FILES;
	while ((d = readdir(dir)) && content != CONTENT_FILES) {
		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		bool is_dir = fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
			      S_ISDIR(st.st_mode);
		content = is_dir ? CONTENT_DIRS : CONTENT_FILES;
	}
	return content;
}

static int bind_whole(const struct launch_view *view, struct launch_ops *ops, const char *source,
		      const char *dest, mode_t type, struct sb_err *err)
{
	struct launch_op point = {.kind = S_ISDIR(type) ? LAUNCH_DIR : LAUNCH_FILE, .mode = 0755};
	struct launch_op bind = {.kind = LAUNCH_BIND};

	point.dest = bind.dest = (char *)dest;
	bind.source = (char *)source;
	int rc = launch_view_add(view, ops, &point, err);
	if (rc >= 0)
		rc = launch_view_add(view, ops, &bind, err);
	return rc < 0 ? rc : 0;
}

/* The same for one of many names, of directories that are known to be no symlinks. */
static int bind_name(struct launch_ops *ops, const char *source, const char *dest, mode_t type,
		     struct sb_err *err)
{
	const struct launch_op point = {.kind = S_ISDIR(type) ? LAUNCH_DIR : LAUNCH_FILE,
					.mode = 0755,
					.dest = (char *)dest,
					.point = true};
	/* It may be gone when its turn comes: /tmp is a busy place. */
	const struct launch_op bind = {.kind = LAUNCH_BIND,
				       .optional = true,
				       .source = (char *)source,
				       .dest = (char *)dest};
	int rc = launch_ops_add(ops, &point, err);

	return rc < 0 ? rc : launch_ops_add(ops, &bind, err);
}

static int merge(const struct launch_view *view, struct launch_ops *ops, const char *source,
		 const char *dest, struct sb_err *err);

/* One name that this machine has in a mixed directory. */
static int merge_child(const struct launch_view *view, struct launch_ops *ops, const char *source,
		       const char *dest, struct sb_err *err)
{
	auto_buf ours = SB_BUF_INIT;
	auto_buf theirs = SB_BUF_INIT;
	struct stat st, payload_st;
	char target[PATH_MAX];

	if (sb_in_root(&ours, view->machine, source) < 0 ||
	    sb_in_root(&theirs, view->payload, dest) < 0)
		return sb_fail(err, ENOMEM, "bind '%s'", source);
	if (lstat(ours.s, &st) < 0)
		return 0;
	if (lstat(theirs.s, &payload_st) == 0) {
		if (!S_ISDIR(st.st_mode) || !S_ISDIR(payload_st.st_mode))
			return 0;
		switch (content_of(view->payload, dest)) {
		case CONTENT_NONE:
			break;
		case CONTENT_DIRS:
			return merge(view, ops, source, dest, err);
		case CONTENT_FILES:
			/* Half of one version and half of another is of no use to anybody. */
			return 0;
		}
	}
	if (!S_ISLNK(st.st_mode))
		return bind_name(ops, source, dest, st.st_mode, err);
	ssize_t n = readlink(ours.s, target, sizeof target - 1);
	if (n < 0)
		return 0;
	target[n] = '\0';
	struct launch_op link = {.kind = LAUNCH_LINK, .optional = true, .point = true};
	link.source = target;
	link.dest = (char *)dest;
	return launch_ops_add(ops, &link, err);
}

static int merge(const struct launch_view *view, struct launch_ops *ops, const char *source,
		 const char *dest, struct sb_err *err)
{
	auto_buf ours = SB_BUF_INIT;
	struct launch_op own = {.kind = LAUNCH_DIR, .mode = 0755, .dest = (char *)dest};
	struct dirent *d;
	int rc = launch_view_add(view, ops, &own, err);

	if (rc >= 0 && sb_in_root(&ours, view->machine, source) < 0)
		rc = sb_fail(err, ENOMEM, "bind '%s'", source);
	if (rc < 0)
		return rc;
	/* Without the right to list it there is nothing to choose from. */
	auto_dir DIR *dir = opendir(ours.s);
	while (dir && rc >= 0 && (d = readdir(dir))) {
		auto_buf from = SB_BUF_INIT;
		auto_buf to = SB_BUF_INIT;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (sb_buf_printf(&from, "%s/%s", source, d->d_name) < 0 ||
		    sb_buf_printf(&to, "%s/%s", dest, d->d_name) < 0)
			return sb_fail(err, ENOMEM, "bind '%s'", source);
		rc = merge_child(view, ops, from.s, to.s, err);
	}
	return rc < 0 ? rc : 0;
}

static bool below_any(const char *path, const char *const *dirs)
{
	for (; *dirs; dirs++)
		if (sb_path_below(path, *dirs))
			return true;
	return false;
}

/* A bundled python that finds this machine's /usr beside its own would import from both. */
static bool is_programs(const char *path)
{
	static const char *const dirs[] = {"/usr", "/lib",  "/lib32", "/lib64", "/libx32",
					   "/bin", "/sbin", "/opt",   "/etc",	NULL};

	return below_any(path, dirs);
}

/* Where a directory of this machine is bound already, a mount point would have to be made in it. */
static int bind_over(const struct launch_view *view, struct launch_ops *ops,
		     const struct root *root, const char *source, const char *dest,
		     struct sb_err *err)
{
	struct launch_op bind = {.kind = LAUNCH_BIND};
	auto_buf full = SB_BUF_INIT;
	struct stat st;

	if (sb_in_root(&full, view->machine, dest) < 0)
		return sb_fail(err, ENOMEM, "bind '%s'", source);
	if (stat(full.s, &st) < 0)
		return sb_fail(
			err, errno,
			"%s: make '%s' first, which is in a directory of this machine that is "
			"bound: look at it",
			root->asked, dest);
	bind.source = (char *)source;
	bind.dest = (char *)dest;
	return launch_ops_add(ops, &bind, err);
}

/* Where it goes, inside the payload. */
static int find_dest(const struct launch_view *view, const struct launch_ops *ops,
		     const struct root *root, const char *source, struct sb_buf *ret,
		     struct sb_err *err)
{
	bool same = strcmp(root->path, root->dest) == 0;
	int rc = sb_resolve(view->payload, root->dest, SB_RESOLVE_MISSING, NULL, NULL, ret, err);

	/* Seen through a directory that is bound already, it may be a symlink: its real place then.
	 */
	if (rc == 0 && same && launch_ops_covering(ops, ret->s) && sb_buf_set(ret, source) < 0)
		rc = sb_fail(err, ENOMEM, "bind '%s'", root->path);
	if (rc == 0 && root->asked && (!ret->s[1] || sb_path_below(ret->s, "/proc")))
		rc = sb_fail(err, SB_ESAID, "%s: nothing can be bound on '%s'", root->asked,
			     ret->s);
	return rc;
}

/* Where the machine has it. 1: there is something to bind. */
static int find_source(const struct launch_view *view, const struct root *root, struct sb_buf *ret,
		       struct stat *ret_st, struct sb_err *err)
{
	static const char *const kernels[] = {"/proc", "/dev", NULL};
	struct sb_err absent = SB_ERR_INIT;
	auto_buf full = SB_BUF_INIT;
	int rc = sb_resolve(view->machine, root->path, 0, NULL, NULL, ret, &absent);

	if (rc < 0 && root->asked) {
		*err = absent;
		return sb_wrap(err, "%s", root->asked);
	}
	if (rc < 0 || sb_in_root(&full, view->machine, ret->s) < 0 || stat(full.s, ret_st) < 0)
		return 0;
	return root->asked ||
	       (S_ISDIR(ret_st->st_mode) && ret->s[1] && !below_any(ret->s, kernels));
}

static int bind_root(const struct launch_view *view, struct launch_ops *ops,
		     const struct root *root, struct sb_err *err)
{
	auto_buf source = SB_BUF_INIT;
	auto_buf dest = SB_BUF_INIT;
	struct stat st;
	int rc = find_source(view, root, &source, &st, err);

	if (rc <= 0)
		return rc;
	rc = find_dest(view, ops, root, source.s, &dest, err);
	if (rc < 0)
		return rc;
	if (strcmp(root->path, root->dest) != 0 && launch_ops_covering(ops, dest.s))
		return bind_over(view, ops, root, source.s, dest.s, err);
	if (!dest.s[1] || (strcmp(source.s, dest.s) == 0 && launch_ops_covering(ops, source.s)))
		return 0;
	if (!S_ISDIR(st.st_mode) || content_of(view->payload, dest.s) == CONTENT_NONE)
		return bind_whole(view, ops, source.s, dest.s, st.st_mode, err);
	if (!root->asked && is_programs(dest.s))
		return 0;
	return merge(view, ops, source.s, dest.s, err);
}

/*
 * The bundle itself, read-only, where nothing that is bound shows it or lies over it: programs
 * start themselves by the name they were started by, which is the launcher's.
 */
static int bind_bundle(const struct launch_view *view, struct launch_ops *ops, struct sb_err *err)
{
	const struct root own = {view->bundle, view->bundle, NULL};
	struct launch_op point = {.kind = LAUNCH_DIR, .mode = 0755, .optional = true};
	struct launch_op show = {.kind = LAUNCH_SHOW, .optional = true};
	auto_buf source = SB_BUF_INIT;
	struct stat st;

	/* Who says what is to be bound says it of this, too; a replay knows of no launcher. */
	if (view->bind || view->entry->cwd || find_source(view, &own, &source, &st, err) <= 0 ||
	    content_of(view->payload, source.s) != CONTENT_NONE)
		return 0;
	for (size_t i = 0; i < ops->count; i++)
		if (ops->items[i].kind == LAUNCH_BIND &&
		    (sb_path_below(source.s, ops->items[i].dest) ||
		     sb_path_below(ops->items[i].dest, source.s)))
			return 0;
	point.dest = show.source = show.dest = source.s;
	int rc = launch_view_add(view, ops, &point, err);
	if (rc >= 0)
		rc = launch_view_add(view, ops, &show, err);
	return rc < 0 ? rc : 0;
}

int launch_view_binds(const struct launch_view *view, struct launch_ops *ops, struct sb_err *err)
{
	struct roots roots = {.count = 0};
	int rc = choose_roots(view, &roots, err);

	for (size_t i = 0; i < roots.count && rc >= 0; i++)
		rc = bind_root(view, ops, &roots.items[i], err);
	free(roots.words);
	return rc < 0 ? rc : bind_bundle(view, ops, err);
}
