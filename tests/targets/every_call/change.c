/* Names made, moved and removed; files changed by name. */
#include "tests/targets/every_call/calls.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <utime.h>

/* Declared by no header since glibc 2.33. */
int __xmknod(int version, const char *path, mode_t mode, dev_t *device);
int __xmknodat(int version, int dirfd, const char *path, mode_t mode, dev_t *device);

void try_names(void)
{
	CALL_TWO(told(rename("new", "newer")), "write", "new", "write", "newer");
	CALL_TWO(told(rename("none", "newer")), "write", "none", "write", "newer");
	CALL_TWO(told(renameat(AT_FDCWD, "newer", at, "newer")), "write", "newer", "write",
		 "sub/newer");
	CALL_TWO(told(link("file", "hard")), "stat", "file", "write", "hard");
	/* The old name was found all the same. */
	(void)said("link", told(link("file", "hard")));
	wanted("write", EEXIST, "hard");
	CALL_TWO(told(linkat(at, "inner", AT_FDCWD, "hard2", 0)), "stat", "sub/inner", "write",
		 "hard2");
	CALL_TWO(told(linkat(at, "none", AT_FDCWD, "hard3", 0)), "stat", "sub/none", "write",
		 "hard3");
	CALL(told(symlink("anything", "file")), "write", "file");
	CALL(told(symlinkat("anything", at, "soft")), "write", "sub/soft");
	CALL(told(unlink("hard")), "write", "hard");
	CALL(told(unlink("none")), "write", "none");
	CALL(told(unlink("sub")), "write", "sub");
	CALL(told(unlinkat(at, "soft", 0)), "write", "sub/soft");
	CALL(told(remove("hard2")), "write", "hard2");
	CALL(told(mkdir("sub", 0700)), "write", "sub");
	CALL(told(mkdir("none/sub", 0700)), "write", "none/sub");
	CALL(told(mkdir("dir", 0700)), "write", "dir");
	CALL(told(mkdirat(at, "dir", 0700)), "write", "sub/dir");
	CALL(told(rmdir("dir")), "write", "dir");
	CALL(told(rmdir("sub")), "write", "sub");
	CALL(told(remove("sub/dir")), "write", "sub/dir");
	CALL(told(remove("sub")), "write", "sub");
#ifdef __GLIBC__
	CALL_TWO(told(renameat2(at, "newer", AT_FDCWD, "new", RENAME_NOREPLACE)), "write",
		 "sub/newer", "write", "new");
	CALL_TWO(told(renameat2(AT_FDCWD, "file", AT_FDCWD, "new", RENAME_EXCHANGE)), "write",
		 "file", "write", "new");
	CALL_TWO(told(renameat2(AT_FDCWD, "new", AT_FDCWD, "newest", 0)), "write", "new", "write",
		 "newest");
#endif
}

void try_nodes(void)
{
	CALL(told(mkfifo("fifo", 0600)), "write", "fifo");
	CALL(told(mkfifo("file", 0600)), "write", "file");
	CALL(told(mkfifoat(at, "fifo", 0600)), "write", "sub/fifo");
#ifndef OLD_GLIBC
	CALL(told(mknod("node", S_IFREG | 0600, 0)), "write", "node");
	CALL(told(mknodat(at, "node", S_IFIFO | 0600, 0)), "write", "sub/node");
	CALL(told(mknod("none/node", S_IFREG | 0600, 0)), "write", "none/node");
#endif
#ifdef __GLIBC__
	dev_t device = 0;

	CALL(told(__xmknod(0, "node2", S_IFREG | 0600, &device)), "write", "node2");
	CALL(told(__xmknodat(0, at, "node2", S_IFIFO | 0600, &device)), "write", "sub/node2");
#endif
}

void try_changes(void)
{
	const struct timeval times[2] = {{1, 0}, {2, 0}};
	const struct timespec fine[2] = {{1, 0}, {2, 0}};
	const struct utimbuf coarse = {1, 2};
	const char *volatile no_name = NULL; /* which a compiler would see */

	CALL(told(truncate("file", 10)), "write", "file");
	CALL(told(truncate("none", 10)), "write", "none");
	CALL(told(chmod("file", 0640)), "write", "file");
	CALL(told(chmod("none", 0640)), "write", "none");
	CALL(told(fchmodat(at, "inner", 0640, 0)), "write", "sub/inner");
	CALL(told(fchmodat(at, "none", 0640, 0)), "write", "sub/none");
	CALL(told(chown("file", (uid_t)-1, (gid_t)-1)), "write", "file");
	CALL(told(lchown("link", (uid_t)-1, (gid_t)-1)), "write", "link");
	CALL(told(fchownat(at, "none", 0, 0, AT_SYMLINK_NOFOLLOW)), "write", "sub/none");
	CALL(told(utime("file", &coarse)), "write", "file");
	CALL(told(utimes("file", times)), "write", "file");
	CALL(told(lutimes("link", times)), "write", "link");
	CALL(told(futimesat(at, "inner", times)), "write", "sub/inner");
	CALL(told(utimensat(at, "inner", fine, 0)), "write", "sub/inner");
	CALL(told(utimensat(at, "none", fine, AT_SYMLINK_NOFOLLOW)), "write", "sub/none");
	/* Of the descriptor itself to musl, an error to glibc; a name to neither. */
	QUIET(told(utimensat(at, no_name, fine, 0)));
	CALL(told(setxattr("none", "user.x", "1", 1, 0)), "write", "none");
	CALL(told(lsetxattr("none", "user.x", "1", 1, 0)), "write", "none");
	CALL(told(removexattr("none", "user.x")), "write", "none");
	CALL(told(lremovexattr("none", "user.x")), "write", "none");
#ifdef __GLIBC__
	CALL(told(truncate64("file", 12)), "write", "file");
	CALL(told(lchmod("file", 0644)), "write", "file");
#endif
}
