#include "launcher/sweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "launcher/tree.h"

/* A directory is made, told of and then held: this is more than enough for the three. */
enum { YOUNG_SECONDS = 60 };

int launch_layer_hold(const char *dir)
{
	auto_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 ? sb_steal_fd(&fd) : -1;
}

static bool is_leftover(int parent, const char *name, time_t now)
{
	const size_t prefix = sizeof LAUNCH_LAYER_PREFIX - 1;
	struct stat st;

	return strncmp(name, LAUNCH_LAYER_PREFIX, prefix) == 0 && strlen(name) == prefix + 6 &&
	       fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode) &&
	       st.st_uid == geteuid() && (st.st_mode & 0777) == 0700 &&
	       now - st.st_ctime > YOUNG_SECONDS;
}

void launch_layer_sweep(const char *dir)
{
	const char *slash = strrchr(dir, '/');
	auto_buf parent = SB_BUF_INIT;
	time_t now = time(NULL);
	struct dirent *d;

	if (!slash || sb_buf_add(&parent, dir, (size_t)(slash - dir)) < 0)
		return;
	auto_dir DIR *list = opendir(parent.len ? parent.s : "/");
	while (list && (d = readdir(list))) {
		if (!is_leftover(dirfd(list), d->d_name, now))
			continue;
		auto_fd int fd = openat(dirfd(list), d->d_name,
					O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* On file systems where this fails always, nothing is ever swept up. */
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
			launch_tree_remove(dirfd(list), d->d_name);
	}
}
