/* Looking: stat in all its forms, access, links, directories. */
#include "tests/targets/every_call/calls.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Declared by no header since glibc 2.33, or only where the compiler fortifies. */
int __xstat(int version, const char *path, struct stat *buf);
int __lxstat(int version, const char *path, struct stat *buf);
int __fxstatat(int version, int dirfd, const char *path, struct stat *buf, int flags);
int __xstat64(int version, const char *path, struct stat *buf);
int __lxstat64(int version, const char *path, struct stat *buf);
int __fxstatat64(int version, int dirfd, const char *path, struct stat *buf, int flags);
ssize_t __readlink_chk(const char *path, char *buf, size_t size, size_t room);
ssize_t __readlinkat_chk(int dirfd, const char *path, char *buf, size_t size, size_t room);
char *__realpath_chk(const char *path, char *resolved, size_t room);
int __statfs(const char *path, struct statfs *buf);

static struct stat st;
static char buf[PATH_MAX];

static void try_stats(void)
{
#ifndef OLD_GLIBC
	CALL(told(stat("link", &st)), "stat", "link");
	CALL(told(stat("none", &st)), "stat", "none");
	CALL(told(lstat("dangling", &st)), "stat", "dangling");
	CALL(told(lstat("none", &st)), "stat", "none");
	CALL(told(fstatat(at, "inner", &st, AT_SYMLINK_NOFOLLOW)), "stat", "sub/inner");
	CALL(told(fstatat(at, "none", &st, 0)), "stat", "sub/none");
	QUIET(told(fstatat(at, "", &st, AT_EMPTY_PATH)));
	QUIET(told(stat((char *)16, &st)));
#endif
#ifdef __GLIBC__
	CALL(told(__xstat(1, "file", &st)), "stat", "file");
	CALL(told(__xstat(0, "none", &st)), "stat", "none");
	QUIET(told(__xstat(7, "none", &st)));
	CALL(told(__lxstat(1, "link", &st)), "stat", "link");
	CALL(told(__fxstatat(1, at, "inner", &st, 0)), "stat", "sub/inner");
	CALL(told(__xstat64(1, "none", &st)), "stat", "none");
	CALL(told(__lxstat64(1, "link", &st)), "stat", "link");
	CALL(told(__fxstatat64(1, at, "none", &st, 0)), "stat", "sub/none");
	CALL(told(__statfs("file", (struct statfs *)(void *)buf)), "stat", "file");
#ifndef OLD_GLIBC
	CALL(told(stat64("file", (void *)&st)), "stat", "file");
	CALL(told(lstat64("link", (void *)&st)), "stat", "link");
	CALL(told(fstatat64(at, "inner", (void *)&st, 0)), "stat", "sub/inner");
#endif
	CALL(told(statx(at, "inner", 0, STATX_MODE, (struct statx *)(void *)buf)), "stat",
	     "sub/inner");
	CALL(told(statx(at, "none", 0, STATX_MODE, (struct statx *)(void *)buf)), "stat",
	     "sub/none");
	CALL(told(statfs64("file", (struct statfs64 *)(void *)buf)), "stat", "file");
	CALL(told(statvfs64("file", (struct statvfs64 *)(void *)buf)), "stat", "file");
#endif
	CALL(told(statfs("none", (struct statfs *)(void *)buf)), "stat", "none");
	CALL(told(statvfs("file", (struct statvfs *)(void *)buf)), "stat", "file");
}

static void try_accesses(void)
{
	int watcher = inotify_init1(IN_CLOEXEC);

	CALL(told(access("file", R_OK)), "stat", "file");
	CALL(told(access("dangling", F_OK)), "stat", "dangling");
	CALL(told(faccessat(at, "inner", R_OK, 0)), "stat", "sub/inner");
	CALL(told(faccessat(at, "none", R_OK, AT_EACCESS)), "stat", "sub/none");
	CALL(told(eaccess("file", F_OK)), "stat", "file");
	CALL(told(euidaccess("none", F_OK)), "stat", "none");
	QUIET(told(access("file", 99)));
	/* No such attribute, on a file that was found. */
	(void)said("getxattr", told(getxattr("file", "user.none", buf, sizeof(buf))));
	wanted("stat", 0, "file");
	CALL(told(getxattr("none", "user.none", buf, sizeof(buf))), "stat", "none");
	CALL(told(lgetxattr("none", "user.none", buf, sizeof(buf))), "stat", "none");
	CALL(told(listxattr("file", buf, sizeof(buf))), "stat", "file");
	CALL(told(llistxattr("link", buf, sizeof(buf))), "stat", "link");
	CALL(told(inotify_add_watch(watcher, "file", IN_OPEN)), "stat", "file");
	CALL(told(inotify_add_watch(watcher, "none", IN_OPEN)), "stat", "none");
	CALL(told(ftok("file", 1) == (key_t)-1 ? -1 : 0), "stat", "file");
	CALL(told(ftok("none", 1) == (key_t)-1 ? -1 : 0), "stat", "none");
#ifdef __GLIBC__
	struct {
		struct file_handle handle;
		char room[128];
	} h = {.handle.handle_bytes = 128};
	int mount;

	CALL(told(name_to_handle_at(at, "none", &h.handle, &mount, 0)), "stat", "sub/none");
#endif
	close(watcher);
}

void try_looks(void)
{
	try_stats();
	try_accesses();
}

void try_links(void)
{
	CALL(told(readlink("link", buf, sizeof(buf))), "readlink", "link");
	CALL(told(readlink("file", buf, sizeof(buf))), "readlink", "file");
	CALL(told(readlinkat(at, "none", buf, sizeof(buf))), "readlink", "sub/none");
	QUIET(told(readlink("link", buf, 0)));
	QUIET(told(readlink((char *)16, buf, sizeof(buf))));
	CALL(made(realpath("link", buf)), "stat", "link");
	CALL(made(realpath("none", buf)), "stat", "none");
#ifdef __GLIBC__
	CALL(told(__readlink_chk("link", buf, 20, 20)), "readlink", "link");
	CALL(told(__readlinkat_chk(at, "inner", buf, 20, 20)), "readlink", "sub/inner");
	CALL(made(__realpath_chk("link", buf, sizeof(buf))), "stat", "link");
	CALL(made(canonicalize_file_name("dangling")), "stat", "dangling");
#endif
}

/* Opens, reads all of it, closes. */
static int read_all(DIR *dir)
{
	int count = 0;

	if (!dir)
		return errno;
	while (readdir(dir))
		count++;
	closedir(dir);
	return count == 3 ? 0 : -count;
}

static struct dirent **names;

static int scanned(int found)
{
	if (found < 0)
		return errno;
	for (int i = 0; i < found; i++)
		free(names[i]);
	free(names);
	return found == 3 ? 0 : -found;
}

#ifdef __GLIBC__
static int read_all_64(DIR *dir)
{
	if (!dir)
		return errno;
	while (readdir64(dir))
		;
	return closed_dir(dir);
}

/* The reentrant forms, deprecated and still in programs. */
static int read_one(const char *path, int large)
{
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	DIR *dir = opendir(path);
	union {
		struct dirent entry;
		struct dirent64 entry64;
	} u;
	struct dirent *found;
	struct dirent64 *found64;

	if (large)
		readdir64_r(dir, &u.entry64, &found64);
	else
		readdir_r(dir, &u.entry, &found);
	return closed_dir(dir);
}
#endif

void try_directories(void)
{
	long base = 0;

	CALL(closed_dir(opendir("none")), "open", "none");
	CALL(closed_dir(opendir("file")), "open", "file");
	CALL(read_all(opendir("sub")), "open list", "sub");
	CALL(closed_dir(fdopendir(openat(at, ".", O_RDONLY))), "open", "sub");
	CALL(read_all(fdopendir(openat(at, ".", O_RDONLY))), "list", "sub");
	CALL(scanned(scandir("sub", &names, NULL, alphasort)), "open list", "sub");
	CALL(scanned(scandir("none", &names, NULL, alphasort)), "open", "none");
	QUIET(told(lseek(at, 0, SEEK_SET)));
#ifdef __GLIBC__
	CALL(read_all_64(opendir("sub")), "list", "sub");
	CALL(read_one("sub", 0), "list", "sub");
	CALL(read_one("sub", 1), "list", "sub");
	CALL(scanned(scandir64("sub", (void *)&names, NULL, alphasort64)), "list", "sub");
	CALL(scanned(scandirat(at, ".", &names, NULL, alphasort)), "list", "sub");
	CALL(scanned(scandirat64(at, ".", (void *)&names, NULL, NULL)), "list", "sub");
	CALL(told(getdirentries(at, buf, sizeof(buf), &base)), "list", "sub");
	QUIET(told(lseek(at, 0, SEEK_SET)));
	CALL(told(getdirentries64(at, buf, sizeof(buf), &base)), "list", "sub");
	QUIET(told(lseek(at, 0, SEEK_SET)));
	CALL(told(getdents64(at, buf, sizeof(buf))), "list", "sub");
#else
	(void)base;
#endif
}
