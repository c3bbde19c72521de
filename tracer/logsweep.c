#include "tracer/logsweep.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "tracer/libctext.h"
#include "tracer/logfile.h"

/* A directory without a log is one that is just being made, until it is this old. */
#define YOUNG_SECONDS 60

/* A file of ours on a disk: in a place where others may have theirs. */
static void remove_text(const char *path)
{
	struct stat st;

	if (lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid())
		(void)unlink(path);
}

int sb_log_text(const char *dir, struct sb_buf *ret)
{
	const char *dash = strrchr(dir, '-');

	return sb_buf_printf(ret, SB_LIBCTEXT_DISK "%s", dash ? dash + 1 : "");
}

void sb_log_remove_texts(int dir, const char *name)
{
	auto_buf path = SB_BUF_INIT;

	if (sb_log_text(name, &path) == 0)
		remove_text(path.s);
	(void)unlinkat(dir, SB_LIBCTEXT_NAME, 0);
}

/* Removes `name` in `parent` if it is ours and nobody holds its lock. */
static void remove_stale(int parent, const char *name)
{
	struct stat st;
	auto_fd int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (dir < 0 || fstat(dir, &st) < 0 || st.st_uid != geteuid() || st.st_mode & 077)
		return;
	auto_fd int log = openat(dir, "log", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (log < 0 ? st.st_mtime + YOUNG_SECONDS > time(NULL) : flock(log, LOCK_EX | LOCK_NB) < 0)
		return;
	/* What cannot be removed stays for the next one. */
	(void)unlinkat(dir, "log", 0);
	(void)unlinkat(dir, "new", 0);
	(void)unlinkat(dir, "modules", 0);
	sb_log_remove_texts(dir, name);
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
		sb_log(SB_LOG_INFO, "removed the log of a killed run: %s", name);
}

static void remove_all_stale(const char *where)
{
	auto_dir DIR *dir = opendir(where);
	struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (strncmp(entry->d_name, SB_LOG_PREFIX, strlen(SB_LOG_PREFIX)) == 0)
			remove_stale(dirfd(dir), entry->d_name);
}

/* Whether one of `dirs` has the log that a text on a disk belongs to. */
static bool has_log(const char *const *dirs, size_t count, const char *suffix)
{
	for (size_t i = 0; i < count; i++) {
		auto_buf path = SB_BUF_INIT;

		if (dirs[i] &&
		    (sb_buf_printf(&path, "%s/" SB_LOG_PREFIX "%s", dirs[i], suffix) < 0 ||
		     access(path.s, F_OK) == 0))
			return true;
	}
	return false;
}

/* The log is in memory, mostly, and gone with the machine's last start. */
static void remove_stray_texts(const char *const *dirs, size_t count)
{
	const char *prefix = SB_LIBCTEXT_PREFIX;
	auto_dir DIR *dir = opendir(SB_LIBCTEXT_PLACE);
	struct dirent *entry;
	struct stat st;

	while (dir && (entry = readdir(dir))) {
		auto_buf path = SB_BUF_INIT;

		if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 &&
		    !has_log(dirs, count, entry->d_name + strlen(prefix)) &&
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_mtime + YOUNG_SECONDS < time(NULL) &&
		    sb_buf_printf(&path, SB_LIBCTEXT_PLACE "/%s", entry->d_name) == 0)
			remove_text(path.s);
	}
}

void sb_log_sweep(const char *const *dirs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (dirs[i] && *dirs[i])
			remove_all_stale(dirs[i]);
	remove_stray_texts(dirs, count);
}
