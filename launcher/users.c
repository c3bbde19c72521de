#include "launcher/users.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/path.h"

static bool stands_in(int proc, const char *dir)
{
	char cwd[PATH_MAX];
	ssize_t n = readlinkat(proc, "cwd", cwd, sizeof cwd - 1);

	cwd[n < 0 ? 0 : n] = '\0';
	return sb_path_below(cwd, dir);
}

static bool maps(int proc, const char *dir)
{
	static char piece[32 << 10];
	size_t len = strlen(dir), have = 0;
	auto_fd int fd = openat(proc, "maps", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	/* The name may lie across two pieces. */
	while (fd >= 0 && (n = read(fd, piece + have, sizeof piece - have)) > 0) {
		have += (size_t)n;
		if (memmem(piece, have, dir, len))
			return true;
		size_t keep = have < len ? have : len;
		memmove(piece, piece + have - keep, keep);
		have = keep;
	}
	return false;
}

bool launch_has_users(const char *dir)
{
	auto_dir DIR *list = opendir("/proc");
	const struct dirent *d;

	while (list && (d = readdir(list))) {
		if (d->d_name[0] < '1' || d->d_name[0] > '9')
			continue;
		auto_fd int proc =
			openat(dirfd(list), d->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (proc >= 0 && (stands_in(proc, dir) || maps(proc, dir)))
			return true;
	}
	return false;
}
