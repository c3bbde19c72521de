#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "launcher/layer.h"
#include "launcher/mounts.h"

/*
 * overlay's options know ',' and ':' and a path may have both: all names are relative to the
 * current directory, or descriptors. `lower`: what goes below upper/.
 */
static int mount_overlay(const struct launch_layer *layer, const char *lower, struct sb_err *err)
{
	/* What is thrown away need not be on the disk first: without this the kernel writes out all
	 * of the file system that upper/ lies on when the program ends (Linux 5.10). */
	const char *hasty = layer->claim < 0 ? ",volatile" : "";
	char options[160], full[200];

	(void)snprintf(options, sizeof options, "lowerdir=%s,upperdir=upper,workdir=work", lower);
	(void)snprintf(full, sizeof full, "%s%s,userxattr", options, hasty);
	/* On top of upper/: no other mount point is needed. */
	int rc = mount("overlay", "upper", "overlay", 0, full);
	/* userxattr is Linux 5.11's, as is overlay for everybody; root had overlay before. */
	if (rc < 0 && layer->privileged)
		rc = mount("overlay", "upper", "overlay", 0, options);
	return rc < 0 ? sb_fail(err, errno, "mount overlay in '%s'", layer->path.s) : 0;
}

static int make_lower(const struct launch_layer *layer, struct sb_err *err)
{
	if (mkdirat(layer->dir, "lower", 0700) < 0 && errno != EEXIST)
		return sb_fail(err, errno, "make '%s/lower'", layer->path.s);
	return 0;
}

int launch_layer_make_points(struct launch_layer *layer, struct sb_err *err)
{
	/* Without it there is one name for what goes below upper/, and the payload needs it. */
	if (access("/proc/self/fd", F_OK) < 0)
		return 0;
	int rc = make_lower(layer, err);
	if (rc < 0)
		return rc;
	if (mount("tmpfs", "lower", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
		return sb_fail(err, errno, "mount a tmpfs on '%s/lower'", layer->path.s);
	layer->points = openat(layer->dir, "lower", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return layer->points < 0 ? sb_fail(err, errno, "open '%s/lower'", layer->path.s) : 0;
}

/* Where /proc is missing: by the name of a mount of ours. */
static int mount_bound(const struct launch_layer *layer, struct sb_err *err)
{
	int rc = make_lower(layer, err);

	if (rc < 0)
		return rc;
	if (mount(layer->payload, "lower", NULL, MS_BIND | MS_REC, NULL) < 0)
		return sb_fail(err, errno, "bind '%s'", layer->payload);
	return mount_overlay(layer, "lower", err);
}

/*
 * overlay holds mounts of its own; these would show up in a /tmp that we bind. So they go below the
 * root to be: to take them down would wait for all processors (launch_mount_root()).
 */
static void hide_lower(void)
{
	if (mount("lower", "/", NULL, MS_MOVE, NULL) < 0)
		(void)umount2("lower", MNT_DETACH);
}

int launch_layer_mount_overlay(const struct launch_layer *layer, struct sb_err *err)
{
	/* The payload first: of what both have, its modes and times are seen. */
	const char *points = layer->points >= 0 ? ":lower" : "";
	char lower[64];
	/* Not layer->payload_fd: the mount that it was opened in is the outer namespace's. */
	auto_fd int payload = open(layer->payload, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (payload < 0)
		return sb_fail(err, errno, "open '%s'", layer->payload);
	int named_len = snprintf(lower, sizeof lower, "/proc/self/fd/%d", payload);
	bool named = access(lower, F_OK) == 0;
	(void)snprintf(lower + named_len, sizeof lower - (size_t)named_len, "%s", points);
	int rc = named ? mount_overlay(layer, lower, err) : mount_bound(layer, err);
	if (!named || layer->points >= 0)
		hide_lower();
	return rc;
}

/*
 * Modes that nobody else gives: in a layer that is kept, a mount point of an earlier run is to be
 * mounted over again, and a directory that the program made is to be entered.
 */
enum { POINT_DIR = 01551, POINT_FILE = 01440 };

static bool is_point(const struct stat *st)
{
	return (S_ISDIR(st->st_mode) && (st->st_mode & 07777) == POINT_DIR) ||
	       (S_ISREG(st->st_mode) && (st->st_mode & 07777) == POINT_FILE);
}

/* What every step of the walk needs. */
struct walk {
	launch_bind_fn *bind;
	void *arg;
};

static int show_part(const struct walk *walk, const char *from, int to_fd, const char *to,
		     mode_t type, struct sb_err *err)
{
	const char *name = strrchr(to, '/') + 1;
	char target[PATH_MAX];

	if (S_ISLNK(type)) {
		ssize_t n = readlink(from, target, sizeof target - 1);

		if (n < 0)
			return sb_fail(err, errno, "read link '%s'", from);
		target[n] = '\0';
		return symlinkat(target, to_fd, name) < 0
			       ? sb_fail(err, errno, "make link '%s'", to)
			       : 0;
	}
	if (S_ISDIR(type) ? mkdirat(to_fd, name, POINT_DIR) < 0
			  : mknodat(to_fd, name, S_IFREG | POINT_FILE, 0) < 0)
		return sb_fail(err, errno, "make '%s'", to);
	return walk->bind(from, to, walk->arg, err);
}

static int show_parts(const struct walk *walk, const char *from, const char *to,
		      struct sb_err *err);

/* What `to` has already was put there by launch_layer_fill(), or by an earlier run. */
static int show_name(const struct walk *walk, int from_fd, int to_fd, const char *from,
		     const char *to, struct sb_err *err)
{
	const char *name = strrchr(from, '/') + 1;
	struct stat st, there;

	if (fstatat(from_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return sb_fail(err, errno, "look at '%s'", from);
	if (fstatat(to_fd, name, &there, AT_SYMLINK_NOFOLLOW) < 0)
		return show_part(walk, from, to_fd, to, st.st_mode, err);
	if (is_point(&there) && (there.st_mode & S_IFMT) == (st.st_mode & S_IFMT))
		return walk->bind(from, to, walk->arg, err);
	return S_ISDIR(st.st_mode) && S_ISDIR(there.st_mode) ? show_parts(walk, from, to, err) : 0;
}

static int show_parts(const struct walk *walk, const char *from, const char *to, struct sb_err *err)
{
	struct dirent *d;
	int rc = 0;

	auto_dir DIR *dir = opendir(from);
	auto_fd int to_fd = open(to, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (!dir || to_fd < 0)
		return sb_fail(err, errno, "open '%s'", dir ? to : from);
	while (rc == 0 && (d = readdir(dir))) {
		auto_buf from_path = SB_BUF_INIT;
		auto_buf to_path = SB_BUF_INIT;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (sb_buf_printf(&from_path, "%s/%s", from, d->d_name) < 0 ||
		    sb_buf_printf(&to_path, "%s/%s", to, d->d_name) < 0)
			return sb_fail(err, ENOMEM, "bind '%s'", from);
		rc = show_name(walk, dirfd(dir), to_fd, from_path.s, to_path.s, err);
	}
	return rc;
}

int launch_layer_parts(const struct launch_layer *layer, const char *to, launch_bind_fn *bind,
		       void *arg, struct sb_err *err)
{
	const struct walk walk = {bind, arg};

	return show_parts(&walk, layer->payload, to, err);
}

static int bind_now(const char *from, const char *to, void *arg, struct sb_err *err)
{
	(void)arg;
	return launch_mount_bind(from, to, true, err);
}

int launch_layer_mount_parts(const struct launch_layer *layer, struct sb_err *err)
{
	if (mount("upper", "upper", NULL, MS_BIND | MS_REC, NULL) < 0)
		return sb_fail(err, errno, "bind '%s/upper'", layer->path.s);
	int rc = launch_layer_parts(layer, "upper", bind_now, NULL, err);
	/* Half a view must not be in the way of another attempt. */
	if (rc < 0)
		(void)umount2("upper", MNT_DETACH);
	return rc;
}
