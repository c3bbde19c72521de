#include "launcher/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

static bool is_dots(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* A directory to list, whose descriptor is its own. */
static DIR *open_dir(int dir_fd, const char *name)
{
	auto_fd int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

	if (dir)
		(void)sb_steal_fd(&fd);
	return dir;
}

void launch_tree_remove(int dir_fd, const char *name)
{
	struct dirent *d;
	struct stat st;

	if (unlinkat(dir_fd, name, 0) == 0)
		return;
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0 || errno == EBUSY)
		return;
	if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return;
	/* overlay's work directory has mode 0, and a program may leave such ones as well. */
	(void)fchmodat(dir_fd, name, 0700, 0);
	auto_dir DIR *dir = open_dir(dir_fd, name);
	while (dir && (d = readdir(dir)))
		if (!is_dots(d->d_name))
			launch_tree_remove(dirfd(dir), d->d_name);
	(void)unlinkat(dir_fd, name, AT_REMOVEDIR);
}

static int copy_bytes(int from, int to, const char *name, struct sb_err *err)
{
	ssize_t n;

	while ((n = sendfile(to, from, NULL, 1 << 30)) > 0)
		;
	return n < 0 ? sb_fail(err, errno, "copy '%s'", name) : 0;
}

static int copy_file(int from, int to, const char *name, const struct stat *st, mode_t more,
		     struct sb_err *err)
{
	auto_fd int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	if (in < 0)
		return sb_fail(err, errno, "open '%s'", name);
	auto_fd int out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		return errno == EEXIST ? 0 : sb_fail(err, errno, "make '%s'", name);
	int rc = copy_bytes(in, out, name, err);
	if (rc < 0)
		return rc;
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	if (fchmod(out, (st->st_mode & 0777) | more) < 0 || futimens(out, times) < 0)
		return sb_fail(err, errno, "set mode and times of '%s'", name);
	return 0;
}

static int copy_link(int from, int to, const char *name, const struct stat *st, struct sb_err *err)
{
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof target - 1);

	if (n < 0)
		return sb_fail(err, errno, "read link '%s'", name);
	target[n] = '\0';
	if (symlinkat(target, to, name) < 0)
		return errno == EEXIST ? 0 : sb_fail(err, errno, "make link '%s'", name);
	(void)utimensat(to, name, times, AT_SYMLINK_NOFOLLOW); /* few look at a link's own times */
	return 0;
}

static int copy_dir(int from, int to, const char *name, const struct stat *st, mode_t more,
		    struct sb_err *err)
{
	auto_fd int in = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0)
		return sb_fail(err, errno, "open '%s'", name);
	if (mkdirat(to, name, 0700) < 0 && errno != EEXIST)
		return sb_fail(err, errno, "make '%s'", name);
	auto_fd int out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0)
		return sb_fail(err, errno, "open '%s'", name);
	int rc = launch_tree_copy(in, out, more, err);
	if (rc < 0)
		return rc;
	const struct timespec times[2] = {st->st_atim, st->st_mtim};
	if (fchmod(out, (st->st_mode & 07777) | 0700) < 0 || futimens(out, times) < 0)
		return sb_fail(err, errno, "set mode and times of '%s'", name);
	return 0;
}

int launch_tree_copy(int from, int to, mode_t more, struct sb_err *err)
{
	struct dirent *d;
	int rc = 0;

	auto_dir DIR *dir = open_dir(from, ".");
	if (!dir)
		return sb_fail(err, errno, "list a directory to copy");
	while (rc == 0 && (d = readdir(dir))) {
		struct stat st;

		if (is_dots(d->d_name))
			continue;
		if (fstatat(from, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			return sb_fail(err, errno, "look at '%s'", d->d_name);
		if (S_ISDIR(st.st_mode))
			rc = copy_dir(from, to, d->d_name, &st, more, err);
		else if (S_ISREG(st.st_mode))
			rc = copy_file(from, to, d->d_name, &st, more, err);
		else if (S_ISLNK(st.st_mode))
			rc = copy_link(from, to, d->d_name, &st, err);
	}
	return rc;
}
