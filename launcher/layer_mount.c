#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "launcher/layer.h"
#include "launcher/mounts.h"

/*
 * All names are relative to the current directory: overlay's options know ',' and ':' and a path
 * may have both.
 */
#define OVERLAY_OPTIONS "lowerdir=lower,upperdir=upper,workdir=work"

int launch_layer_mount_overlay(const struct launch_layer *layer, struct sb_err *err)
{
	if (mount(layer->payload, "lower", NULL, MS_BIND | MS_REC, NULL) < 0)
		return sb_fail(err, errno, "bind '%s'", layer->payload);
	int rc = mount("overlay", "root", "overlay", 0, OVERLAY_OPTIONS ",userxattr");
	/* The option is Linux 5.11's, as is overlay for everybody; root had overlay before. */
	if (rc < 0 && layer->privileged)
		rc = mount("overlay", "root", "overlay", 0, OVERLAY_OPTIONS);
	if (rc < 0)
		rc = sb_fail(err, errno, "mount overlay in '%s'", layer->path.s);
	/* overlay holds a mount of its own; this one would show up in a /tmp that we bind. */
	(void)umount2("lower", MNT_DETACH);
	return rc;
}

static int bind_part(const char *from, int to_fd, const char *to, mode_t type, struct sb_err *err)
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
	if (S_ISDIR(type) ? mkdirat(to_fd, name, 0755) < 0
			  : mknodat(to_fd, name, S_IFREG | 0644, 0) < 0)
		return sb_fail(err, errno, "make '%s'", to);
	return launch_mount_bind(from, to, true, err);
}

/* What `to` has already was put there by launch_layer_fill(): a directory is entered. */
static int bind_parts(const char *from, const char *to, struct sb_err *err)
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
		struct stat st, there;

		if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
			continue;
		if (sb_buf_printf(&from_path, "%s/%s", from, d->d_name) < 0 ||
		    sb_buf_printf(&to_path, "%s/%s", to, d->d_name) < 0)
			return sb_fail(err, ENOMEM, "bind '%s'", from);
		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return sb_fail(err, errno, "look at '%s'", from_path.s);
		if (fstatat(to_fd, d->d_name, &there, AT_SYMLINK_NOFOLLOW) < 0)
			rc = bind_part(from_path.s, to_fd, to_path.s, st.st_mode, err);
		else if (S_ISDIR(st.st_mode) && S_ISDIR(there.st_mode))
			rc = bind_parts(from_path.s, to_path.s, err);
	}
	return rc;
}

int launch_layer_mount_parts(const struct launch_layer *layer, struct sb_err *err)
{
	if (mount("upper", "root", NULL, MS_BIND | MS_REC, NULL) < 0)
		return sb_fail(err, errno, "bind '%s/upper'", layer->path.s);
	int rc = bind_parts(layer->payload, "root", err);
	/* Half a view must not be in the way of another attempt. */
	if (rc < 0)
		(void)umount2("root", MNT_DETACH);
	return rc;
}
