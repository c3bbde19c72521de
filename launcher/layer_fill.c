/*
 * What has to be in the writable layer before it is mounted: mount points, directories that the
 * program owns, a few files. Made here and not through the overlay, which would have to copy
 * directories up that belong to somebody who has no name in our user namespace.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "launcher/layer.h"
#include "launcher/tree.h"

static bool payload_stat(const struct launch_layer *layer, const char *path, struct stat *ret)
{
	return fstatat(layer->payload_fd, launch_inside(path), ret, AT_SYMLINK_NOFOLLOW) == 0;
}

/* The payload's times, so that making something in a directory does not make it look newer. */
static void restore_times(const struct launch_layer *layer, const char *path)
{
	struct stat st;

	if (!payload_stat(layer, path, &st))
		return;
	const struct timespec times[2] = {st.st_atim, st.st_mtim};
	(void)utimensat(layer->upper, launch_inside(path), times,
			AT_SYMLINK_NOFOLLOW); /* only looks */
}

static void parent_of(const char *path, struct sb_buf *buf)
{
	const char *slash = strrchr(path, '/');

	sb_buf_cut(buf, 0);
	if (slash == path)
		(void)sb_buf_puts(buf, "/");
	else
		(void)sb_buf_add(buf, path, (size_t)(slash - path));
}

/* One directory whose parent is there. In a layer that was kept, something else may be in its
 * place. */
static int make_one(const struct launch_layer *layer, const char *path, mode_t mode,
		    struct sb_err *err)
{
	struct stat st;

	if (payload_stat(layer, path, &st) && S_ISDIR(st.st_mode))
		mode = (st.st_mode & 07777) | (mode == 01777 ? 01777 : 0700);
	if (mkdirat(layer->upper, launch_inside(path), 0700) < 0) {
		if (errno != EEXIST)
			return sb_fail(err, errno, "make '%s' in the writable layer", path);
		if (fstatat(layer->upper, launch_inside(path), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISDIR(st.st_mode))
			return 0;
		if (unlinkat(layer->upper, launch_inside(path), 0) < 0 ||
		    mkdirat(layer->upper, launch_inside(path), 0700) < 0)
			return sb_fail(err, errno, "replace '%s' in the writable layer", path);
	}
	if (fchmodat(layer->upper, launch_inside(path), mode, 0) < 0)
		return sb_fail(err, errno, "set the mode of '%s' in the writable layer", path);
	restore_times(layer, path);
	return 0;
}

static int make_dir(const struct launch_layer *layer, const char *path, mode_t mode,
		    struct sb_err *err)
{
	auto_buf parent = SB_BUF_INIT;
	struct stat st;
	int rc = 0;

	if (!path[1] ||
	    (fstatat(layer->upper, launch_inside(path), &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	     S_ISDIR(st.st_mode)))
		return 0;
	parent_of(path, &parent);
	if (!parent.s)
		return sb_fail(err, ENOMEM, "make '%s'", path);
	rc = make_dir(layer, parent.s, 0755, err);
	if (rc == 0)
		rc = make_one(layer, path, mode, err);
	if (rc == 0)
		restore_times(layer, parent.s);
	return rc;
}

static int make_parent(const struct launch_layer *layer, const char *path, struct sb_err *err)
{
	auto_buf parent = SB_BUF_INIT;

	parent_of(path, &parent);
	if (!parent.s)
		return sb_fail(err, ENOMEM, "make '%s'", path);
	return make_dir(layer, parent.s, 0755, err);
}

static int make_file(const struct launch_layer *layer, const struct launch_op *op,
		     struct sb_err *err)
{
	const char *text = op->kind == LAUNCH_TEXT ? op->source : "";
	struct stat st;

	if (op->kind == LAUNCH_FILE && payload_stat(layer, op->dest, &st) && !S_ISDIR(st.st_mode))
		return 0;
	int rc = make_parent(layer, op->dest, err);
	if (rc < 0)
		return rc;
	auto_fd int fd = openat(layer->upper, launch_inside(op->dest),
				O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC |
					(op->kind == LAUNCH_TEXT ? O_TRUNC : 0),
				0644);
	if (fd < 0)
		return sb_fail(err, errno, "make '%s' in the writable layer", op->dest);
	size_t len = strlen(text);
	if (op->kind == LAUNCH_TEXT && fchmod(fd, op->mode) < 0)
		return sb_fail(err, errno, "set the mode of '%s'", op->dest);
	if (write(fd, text, len) != (ssize_t)len)
		return sb_fail(err, errno, "write '%s' in the writable layer", op->dest);
	return 0;
}

static int make_link(const struct launch_layer *layer, const struct launch_op *op,
		     struct sb_err *err)
{
	struct stat st;
	int rc;

	/* An empty file is a place to mount on. */
	if (payload_stat(layer, op->dest, &st) && !(S_ISREG(st.st_mode) && st.st_size == 0))
		return 0;
	rc = make_parent(layer, op->dest, err);
	if (rc == 0 && symlinkat(op->source, layer->upper, launch_inside(op->dest)) < 0 &&
	    errno != EEXIST)
		rc = sb_fail(err, errno, "make link '%s' in the writable layer", op->dest);
	return rc;
}

/* Whether the kernel lets us copy such a file up: its owner has to exist in our user namespace. */
static bool is_ours(const struct stat *st)
{
	gid_t groups[64];

	if (st->st_uid != geteuid())
		return false;
	if (st->st_gid == getegid())
		return true;
	int n = getgroups(64, groups);
	for (int i = 0; i < n; i++)
		if (groups[i] == st->st_gid)
			return true;
	return false;
}

/* Somebody took the right to write from the whole bundle: in the program's own files it is a loss.
 */
static bool is_frozen(const struct launch_layer *layer)
{
	struct stat st;

	return fstat(layer->payload_fd, &st) == 0 && !(st.st_mode & 0200);
}

/* A directory where the traced run wrote. A bundle of our own is copied up by overlay, as needed.
 */
static int make_copy(const struct launch_layer *layer, const struct launch_op *op,
		     struct sb_err *err)
{
	struct stat st;
	bool there = payload_stat(layer, op->dest, &st) && S_ISDIR(st.st_mode);
	bool frozen = is_frozen(layer);
	int rc = make_dir(layer, op->dest, op->mode, err);

	if (rc < 0 || !there || (layer->overlay && !frozen && (layer->privileged || is_ours(&st))))
		return rc;
	auto_fd int from = openat(layer->payload_fd, launch_inside(op->dest),
				  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_fd int to = openat(layer->upper, launch_inside(op->dest),
				O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (from < 0 || to < 0)
		return sb_fail(err, errno, "open '%s' to copy it", op->dest);
	rc = launch_tree_copy(from, to, frozen ? 0200 : 0, err);
	/* With all that the payload has, it need not be merged with it: then it can also be
	 * renamed. */
	if (rc == 0 && layer->overlay)
		(void)fsetxattr(to, "user.overlay.opaque", "y", 1,
				0); /* merged is as good otherwise */
	restore_times(layer, op->dest);
	return rc < 0 ? sb_wrap(err, "copy '%s' to the writable layer", op->dest) : 0;
}

/* In the layer of mount points, where it hides nothing and nobody looks at modes and times. */
static int make_point(const struct launch_layer *layer, const struct launch_op *op,
		      struct sb_err *err)
{
	const char *inside = launch_inside(op->dest);
	auto_buf parent = SB_BUF_INIT;
	int rc = 0;

	for (const char *slash = strchr(inside, '/'); slash; slash = strchr(slash + 1, '/')) {
		sb_buf_cut(&parent, 0);
		if (sb_buf_add(&parent, inside, (size_t)(slash - inside)) < 0)
			return sb_fail(err, ENOMEM, "make '%s'", op->dest);
		(void)mkdirat(layer->points, parent.s, 0755); /* mostly it is there */
	}
	if (op->kind == LAUNCH_LINK)
		rc = symlinkat(op->source, layer->points, inside);
	else if (op->kind == LAUNCH_DIR)
		rc = mkdirat(layer->points, inside, 0755);
	else
		rc = mknodat(layer->points, inside, S_IFREG | 0644, 0);
	return rc < 0 && errno != EEXIST ? sb_fail(err, errno, "make '%s'", op->dest) : 0;
}

/*
 * Whether `op` is nothing but a mount point that the payload has: what is mounted there hides it,
 * whoever owns it.
 */
static bool has_point(const struct launch_layer *layer, const struct launch_ops *ops,
		      const struct launch_op *op)
{
	struct stat st;

	if (!layer->overlay || op->kind != LAUNCH_DIR || !payload_stat(layer, op->dest, &st) ||
	    !S_ISDIR(st.st_mode))
		return false;
	for (size_t i = 0; i < ops->count; i++) {
		const struct launch_op *over = &ops->items[i];

		if ((over->kind == LAUNCH_BIND || over->kind == LAUNCH_PROC ||
		     over->kind == LAUNCH_TMPFS) &&
		    strcmp(over->dest, op->dest) == 0)
			return true;
	}
	return false;
}

static int make_private(const struct launch_layer *layer, const struct launch_op *op,
			struct sb_err *err)
{
	int rc = make_dir(layer, op->dest, op->mode, err);

	if (rc == 0 && fchmodat(layer->upper, launch_inside(op->dest), op->mode, 0) < 0)
		rc = sb_fail(err, errno, "set the mode of '%s' in the writable layer", op->dest);
	return rc;
}

static int make(const struct launch_layer *layer, const struct launch_op *op, struct sb_err *err)
{
	if (op->point && layer->points >= 0)
		return make_point(layer, op, err);
	switch (op->kind) {
	case LAUNCH_DIR:
		return op->exact ? make_private(layer, op, err)
				 : make_dir(layer, op->dest, op->mode, err);
	case LAUNCH_FILE:
	case LAUNCH_TEXT:
		return make_file(layer, op, err);
	case LAUNCH_LINK:
		return make_link(layer, op, err);
	case LAUNCH_COPY:
		return make_copy(layer, op, err);
	default:
		return 0;
	}
}

int launch_layer_fill(const struct launch_layer *layer, const struct launch_ops *ops,
		      struct sb_err *err)
{
	struct stat st;

	/* The layer's own top is what the program sees as "/". */
	if (fstat(layer->payload_fd, &st) < 0 ||
	    fchmod(layer->upper, (st.st_mode & 07777) | 0700) < 0)
		return sb_fail(err, errno, "set the mode of the writable layer");
	for (size_t i = 0; i < ops->count; i++) {
		const struct launch_op *op = &ops->items[i];
		struct sb_err refused = SB_ERR_INIT;
		bool done = launch_ops_is_late(ops, i) || has_point(layer, ops, op);
		int rc = done ? 0 : make(layer, op, &refused);

		if (rc < 0 && !op->optional) {
			*err = refused;
			return rc;
		}
	}
	restore_times(layer, "/");
	return 0;
}
