#include "launcher/layer.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "launcher/sweep.h"

/* In a directory whose changes are kept. */
#define LAYER_MARK ".sidebundle-layer"

/* The reaper of the run before may need a moment. */
static int lock(int fd)
{
	const struct timespec moment = {.tv_nsec = 10 * 1000 * 1000};

	for (int tries = 0; tries < 200; tries++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		(void)nanosleep(&moment, NULL); /* shorter is fine */
	}
	return -errno;
}

/*
 * The reaper removes parts of this directory by their names: it has to be ours, made by us or empty
 * when we first saw it. The mark tells.
 */
static int mark(int fd, const char *path, struct sb_err *err)
{
	struct dirent *d;
	bool empty = true;

	if (faccessat(fd, LAYER_MARK, F_OK, 0) == 0)
		return 0;
	auto_dir DIR *dir = opendir(path);
	if (!dir)
		return sb_fail(err, errno, "SIDEBUNDLE_WRITABLE: list '%s'", path);
	while (empty && (d = readdir(dir)))
		empty = strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0;
	if (!empty)
		return sb_fail(
			err, SB_ESAID,
			"SIDEBUNDLE_WRITABLE: '%s' holds files that are not ours: name a new or "
			"empty directory",
			path);
	auto_fd int made = openat(fd, LAYER_MARK, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	return made < 0 ? sb_fail(err, errno, "SIDEBUNDLE_WRITABLE: write to '%s'", path) : 0;
}

int launch_layer_claim(struct launch_layer *layer, const struct launch_places *places,
		       struct sb_err *err)
{
	char path[PATH_MAX];

	layer->payload_fd = open(layer->payload, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (layer->payload_fd < 0)
		return sb_fail(err, errno, "open the payload '%s'", layer->payload);
	if (!places->writable || !*places->writable)
		return 0;
	if (mkdir(places->writable, 0700) < 0 && errno != EEXIST)
		return sb_fail(err, errno, "SIDEBUNDLE_WRITABLE: make '%s'", places->writable);
	/* Its real path; DIR becomes the current directory in any case. */
	auto_fd int fd = open(places->writable, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fchdir(fd) < 0 || !getcwd(path, sizeof path))
		return sb_fail(err, errno, "SIDEBUNDLE_WRITABLE: open '%s'", places->writable);
	int rc = lock(fd);
	if (rc == -EWOULDBLOCK)
		return sb_fail(
			err, SB_ESAID,
			"SIDEBUNDLE_WRITABLE: '%s' is in use by another run; give each run its own",
			path);
	if (rc < 0)
		return sb_fail(err, -rc, "SIDEBUNDLE_WRITABLE: lock '%s'", path);
	rc = mark(fd, path, err);
	if (rc < 0)
		return rc;
	if (sb_buf_set(&layer->path, path) < 0)
		return sb_fail(err, ENOMEM, "SIDEBUNDLE_WRITABLE");
	layer->claim = sb_steal_fd(&fd);
	return 0;
}

/* Whether programs may be among what is copied to the layer: overlay has them in the payload. */
static bool copies_programs(const struct launch_layer *layer, const struct launch_ops *ops)
{
	for (size_t i = 0; i < ops->count; i++)
		if (ops->items[i].kind == LAUNCH_COPY)
			return true;
	return layer->mounts == LAUNCH_MOUNTS_NONE;
}

static bool forbids_programs(const struct launch_layer *layer)
{
	struct statvfs st;

	return statvfs(layer->path.s, &st) == 0 && st.f_flag & ST_NOEXEC;
}

/* A new directory of ours below `place`. */
static int make_temporary(struct launch_layer *layer, const char *place, struct sb_err *err)
{
	char path[PATH_MAX];

	if (snprintf(path, sizeof path, "%s/" LAUNCH_LAYER_PREFIX "XXXXXX", place) >=
	    (int)sizeof path)
		return sb_fail(err, ENAMETOOLONG, "make a directory in '%s'", place);
	/* Its real path: by that others are told that stand in it. */
	if (!mkdtemp(path) || chdir(path) < 0 || !getcwd(path, sizeof path))
		return sb_fail(err, errno, "make a directory in '%s'", place);
	return sb_buf_set(&layer->path, path) < 0 ? sb_fail(err, ENOMEM, "make '%s'", path) : 0;
}

/* The directories, and the descriptors. */
static int open_parts(struct launch_layer *layer, struct sb_err *err)
{
	static const char *const parts[] = {"upper", "work"};

	sb_closep(&layer->dir);
	sb_closep(&layer->upper);
	sb_closep(&layer->points);
	layer->upper = layer->points = -1;
	layer->dir = open(layer->path.s, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (layer->dir < 0 || fchdir(layer->dir) < 0)
		return sb_fail(err, errno, "open '%s'", layer->path.s);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (mkdirat(layer->dir, parts[i], 0700) < 0 && errno != EEXIST)
			return sb_fail(err, errno, "make '%s/%s'", layer->path.s, parts[i]);
	layer->upper = openat(layer->dir, "upper", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return layer->upper < 0 ? sb_fail(err, errno, "open '%s/upper'", layer->path.s) : 0;
}

/*
 * overlay in a user namespace keeps its notes in user.* attributes. A file system without them (a
 * tmpfs before Linux 6.6) mounts, and then fails rmdir followed by mkdir.
 */
static bool keeps_attributes(const struct launch_layer *layer)
{
	return layer->privileged || fsetxattr(layer->dir, "user.sidebundle", "1", 1, 0) == 0;
}

static bool has_points(const struct launch_ops *ops)
{
	for (size_t i = 0; i < ops->count; i++)
		if (ops->items[i].point)
			return true;
	return false;
}

static int mount_here(struct launch_layer *layer, const struct launch_ops *ops, bool overlay,
		      struct sb_err *err)
{
	int rc = open_parts(layer, err);

	if (rc < 0)
		return rc;
	if (overlay && !keeps_attributes(layer))
		return sb_fail(err, errno, "keep overlay's attributes in '%s'", layer->path.s);
	layer->overlay = overlay;
	if (overlay && has_points(ops))
		rc = launch_layer_make_points(layer, err);
	if (rc == 0)
		rc = launch_layer_fill(layer, ops, err);
	if (rc == 0 && layer->mounts == LAUNCH_MOUNTS_NONE)
		rc = launch_layer_copy(layer, ops, err);
	if (rc < 0 || layer->mounts != LAUNCH_MOUNTS_OURS)
		return rc;
	return overlay ? launch_layer_mount_overlay(layer, err)
		       : launch_layer_mount_parts(layer, err);
}

static int try_place(struct launch_layer *layer, const char *place,
		     const struct launch_reaper *reaper, const struct launch_ops *ops, bool overlay,
		     struct sb_err *err)
{
	int rc = make_temporary(layer, place, err);

	if (rc == 0 && reaper)
		rc = launch_reaper_add(reaper, layer->path.s, false, err);
	if (rc == 0 && !overlay && copies_programs(layer, ops) && forbids_programs(layer))
		rc = sb_fail(err, SB_ESAID, "nothing in '%s' may be executed (mounted noexec)",
			     place);
	return rc < 0 ? rc : mount_here(layer, ops, overlay, err);
}

/* Memory that goes with the namespace. Mounted where nobody needs to look any more. */
static int try_tmpfs(struct launch_layer *layer, const struct launch_ops *ops, bool overlay,
		     struct sb_err *err)
{
	sb_buf_cut(&layer->path, 0);
	if (sb_buf_printf(&layer->path, "%s/libexec", layer->bundle) < 0)
		return sb_fail(err, ENOMEM, "mount a tmpfs");
	if (mount("tmpfs", layer->path.s, "tmpfs", MS_NOSUID | MS_NODEV, "mode=0700") < 0)
		return sb_fail(err, errno, "mount a tmpfs on '%s'", layer->path.s);
	int rc = mount_here(layer, ops, overlay, err);
	layer->tmpfs = rc == 0;
	/* It lies over a part of the bundle, which may be shown. */
	if (rc < 0)
		(void)umount2(layer->path.s, MNT_DETACH);
	return rc;
}

static int try_all(struct launch_layer *layer, const struct launch_places *places,
		   const struct launch_reaper *reaper, const struct launch_ops *ops, bool overlay,
		   struct sb_err *err)
{
	auto_buf home_cache = SB_BUF_INIT;
	bool ours = layer->mounts == LAUNCH_MOUNTS_OURS;
	int rc = -1;

	if (!places->cache && places->home && places->home[0] == '/' &&
	    sb_buf_printf(&home_cache, "%s/.cache", places->home) < 0)
		return sb_fail(err, ENOMEM, "look for a place to write");
	const char *const candidates[] = {
		places->tmpdir,
		places->cache ? places->cache : home_cache.s,
		"/var/tmp",
		"/tmp",
		ours ? NULL : "/dev/shm", /* memory is as good there as a tmpfs of ours */
	};
	for (size_t i = 0;
	     (reaper || !ours) && rc < 0 && i < sizeof candidates / sizeof *candidates; i++)
		if (candidates[i] && candidates[i][0] == '/')
			rc = try_place(layer, candidates[i], reaper, ops, overlay, err);
	if (rc < 0 && !ours)
		return sb_wrap(err, "no room for what the program writes (set TMPDIR)");
	return rc < 0 ? try_tmpfs(layer, ops, overlay, err) : rc;
}

int launch_layer_make(struct launch_layer *layer, const struct launch_places *places,
		      const struct launch_reaper *reaper, const struct launch_ops *ops,
		      struct sb_err *err)
{
	bool overlay = layer->mounts == LAUNCH_MOUNTS_OURS;
	struct sb_err refused = SB_ERR_INIT;
	int rc;

	if (layer->claim < 0) {
		rc = overlay ? try_all(layer, places, reaper, ops, true, &refused) : -1;
		return rc < 0 ? try_all(layer, places, reaper, ops, false, err) : rc;
	}
	rc = reaper ? launch_reaper_add(reaper, layer->path.s, true, err) : 0;
	if (rc == 0 && (!overlay || mount_here(layer, ops, true, &refused) < 0))
		rc = mount_here(layer, ops, false, err);
	return rc < 0 ? sb_wrap(err, "SIDEBUNDLE_WRITABLE") : rc;
}

void launch_layer_close(struct launch_layer *layer)
{
	sb_closep(&layer->payload_fd);
	sb_closep(&layer->claim);
	sb_closep(&layer->dir);
	sb_closep(&layer->upper);
	sb_closep(&layer->points);
	layer->payload_fd = layer->claim = layer->dir = layer->upper = layer->points = -1;
	sb_buf_free(&layer->path);
}
