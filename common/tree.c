#include "common/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"

/* Names of one directory. */
struct names {
	char **items;
	size_t count, cap;
};

static void free_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
}
#define auto_names __attribute__((cleanup(free_names))) struct names

static int add_name(struct names *names, const char *name)
{
	if (names->count == names->cap) {
		size_t cap = names->cap ? names->cap * 2 : 32;
		char **grown = reallocarray(names->items, cap, sizeof *grown);

		if (!grown)
			return -ENOMEM;
		names->items = grown;
		names->cap = cap;
	}
	names->items[names->count] = strdup(name);
	return names->items[names->count] ? (names->count++, 0) : -ENOMEM;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int read_names(int dirfd, struct names *ret)
{
	/* A description of its own: reading must not move the position of the caller's. */
	auto_fd int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return -errno;
	(void)sb_steal_fd(&fd);
	while (errno = 0, entry = readdir(dir)) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    add_name(ret, entry->d_name) < 0)
			return -ENOMEM;
	}
	if (errno)
		return -errno;
	if (ret->count)
		qsort(ret->items, ret->count, sizeof *ret->items, by_name);
	return 0;
}

struct walk {
	sb_tree_fn fn;
	void *arg;
	struct sb_buf path;
	int fd; /* of the directory that the walk is in: the only one open */
};

static int walk_directory(struct walk *w, struct sb_err *err);

/* One level down, and back: the way back is "..", so that depth costs no descriptors. */
static int descend(struct walk *w, const char *name, const struct stat *st, struct sb_err *err)
{
	int child = openat(w->fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat parent, back;

	if (child < 0)
		return errno == ENOENT ? 0 : sb_fail(err, errno, "open '%s'", w->path.s);
	if (fstat(w->fd, &parent) < 0) {
		close(child);
		return sb_fail(err, errno, "look at the directory of '%s'", w->path.s);
	}
	close(w->fd);
	w->fd = child;
	int rc = walk_directory(w, err);
	if (rc < 0)
		return rc;
	int up = openat(w->fd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (up < 0)
		return sb_fail(err, errno, "go back up from '%s'", w->path.s);
	close(w->fd);
	w->fd = up;
	/* Somebody may have moved the directory while we were in it. */
	if (fstat(up, &back) < 0 || back.st_dev != parent.st_dev || back.st_ino != parent.st_ino)
		return sb_fail(err, EBUSY, "'%s' was moved while it was read", w->path.s);
	return w->fn(w->arg,
		     &(struct sb_tree_node){w->fd, name, sb_buf_str(&w->path), st, .leaving = true},
		     err);
}

static int visit(struct walk *w, const char *name, struct sb_err *err)
{
	struct stat st;

	if (fstatat(w->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : sb_fail(err, errno, "look at '%s'", w->path.s);
	int rc = w->fn(w->arg,
		       &(struct sb_tree_node){w->fd, name, sb_buf_str(&w->path), &st, false}, err);
	if (rc < 0 || rc > 0 || !S_ISDIR(st.st_mode))
		return rc < 0 ? rc : 0;
	rc = descend(w, name, &st, err);
	return rc < 0 ? rc : 0;
}

static int walk_directory(struct walk *w, struct sb_err *err)
{
	auto_names names = {NULL, 0, 0};
	size_t len = w->path.len;
	int rc = read_names(w->fd, &names);

	if (rc < 0)
		return sb_fail(err, -rc, "read directory '%s'", len ? w->path.s : ".");
	for (size_t i = 0; i < names.count; i++) {
		if ((len && sb_buf_putc(&w->path, '/') < 0) ||
		    sb_buf_puts(&w->path, names.items[i]) < 0)
			return sb_fail(err, ENOMEM, "walk a directory");
		rc = visit(w, names.items[i], err);
		if (rc < 0)
			return rc;
		sb_buf_cut(&w->path, len);
	}
	return 0;
}

int sb_tree_walk(int dirfd, const char *name, sb_tree_fn fn, void *arg, struct sb_err *err)
{
	struct walk w = {.fn = fn, .arg = arg};

	w.fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w.fd < 0)
		return sb_fail(err, errno, "open directory '%s'", name);
	int rc = walk_directory(&w, err);
	close(w.fd);
	sb_buf_free(&w.path);
	return rc;
}

static int remove_node(void *arg, const struct sb_tree_node *node, struct sb_err *err)
{
	(void)arg;
	if (S_ISDIR(node->st->st_mode) && !node->leaving) {
		/* Its names can only go where its owner may write; a failure shows up there. */
		if ((node->st->st_mode & 0700) != 0700)
			(void)fchmodat(node->dirfd, node->name, 0700, 0);
		return 0;
	}
	if (unlinkat(node->dirfd, node->name, node->leaving ? AT_REMOVEDIR : 0) < 0 &&
	    errno != ENOENT)
		return sb_fail(err, errno, "remove '%s'", node->path);
	return 0;
}

int sb_tree_remove(int dirfd, const char *name, struct sb_err *err)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : sb_fail(err, errno, "look at '%s'", name);
	if (S_ISDIR(st.st_mode)) {
		if ((st.st_mode & 0700) != 0700)
			(void)fchmodat(dirfd, name, 0700, 0);
		int rc = sb_tree_walk(dirfd, name, remove_node, NULL, err);

		if (rc < 0)
			return rc;
	}
	if (unlinkat(dirfd, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0) < 0 && errno != ENOENT)
		return sb_fail(err, errno, "remove '%s'", name);
	return 0;
}

int sb_open_parent(int dirfd, const char *path, const char **ret_name)
{
	const char *slash = strrchr(path, '/');
	const char *end = slash ? slash : path, *p = path;
	/* A first piece that is absolute starts at the root, and leaves dirfd behind. */
	int fd = openat(dirfd, path[0] == '/' ? "/" : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

	while (fd >= 0 && p < end) {
		char piece[PATH_MAX];

		p += strspn(p, "/");
		if (p >= end)
			break;
		size_t len = (size_t)(end - p);
		if (len >= sizeof piece) {
			len = sizeof piece - 1;
			while (len && p[len] != '/')
				len--;
			if (!len) {
				close(fd);
				return -ENAMETOOLONG;
			}
		}
		memcpy(piece, p, len);
		piece[len] = '\0';
		int next = openat(fd, piece, O_PATH | O_DIRECTORY | O_CLOEXEC);
		int failed = errno;
		close(fd);
		errno = failed;
		fd = next;
		p += len;
	}
	if (fd < 0)
		return -errno;
	*ret_name = slash ? slash + 1 : path;
	return fd;
}
