/*
 * The leaf calls: one system call each, told to the recorder. Results are the kernel's: 0 or more,
 * or -errno; errno itself is not touched. Written once, on sb_raw(): hooks by symbol are thin rows
 * over these (preload/hooks.def).
 *
 * Those without "at" in their name make the old system call where the machine has it, as libc does:
 * a program may have allowed that one only.
 */
#pragma once

#include <stdbool.h>

/* `cancel`: a cancellation point, as open(3) is and syscall(2) is not. */
long sb_leaf_openat(int dirfd, const char *path, int flags, unsigned mode, bool cancel);

/* `buf` is the kernel's struct stat, which is that of 64-bit libcs too. */
long sb_leaf_fstatat(int dirfd, const char *path, void *buf, int flags);
/* The first argument of __xstat(3): how binaries from before glibc 2.33 call stat. */
long sb_leaf_xstat(int version, int dirfd, const char *path, void *buf, int flags);
long sb_leaf_statx(int dirfd, const char *path, int flags, unsigned mask, void *buf);
long sb_leaf_access(const char *path, int mode);
long sb_leaf_statfs(const char *path, void *buf);
long sb_leaf_getxattr(long nr, const char *path, const char *name, void *value, unsigned long size);
long sb_leaf_listxattr(long nr, const char *path, char *list, unsigned long size);
long sb_leaf_setxattr(long nr, const char *path, const char *name, const void *value,
		      unsigned long size, int flags);
long sb_leaf_removexattr(long nr, const char *path, const char *name);
long sb_leaf_readlink(const char *path, char *buf, unsigned long size);
long sb_leaf_readlinkat(int dirfd, const char *path, char *buf, unsigned long size);
long sb_leaf_getdents64(int fd, void *buf, unsigned long size);

long sb_leaf_rename(const char *from, const char *to);
long sb_leaf_renameat(int from_dir, const char *from, int to_dir, const char *to);
long sb_leaf_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags);
long sb_leaf_link(const char *from, const char *to);
long sb_leaf_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags);
long sb_leaf_symlink(const char *target, const char *path);
long sb_leaf_symlinkat(const char *target, int dirfd, const char *path);
long sb_leaf_unlink(const char *path);
long sb_leaf_rmdir(const char *path);
long sb_leaf_unlinkat(int dirfd, const char *path, int flags);
/* remove(3): whichever of the two it takes. */
long sb_leaf_remove(const char *path);
long sb_leaf_mkdir(const char *path, unsigned mode);
long sb_leaf_mkdirat(int dirfd, const char *path, unsigned mode);
long sb_leaf_truncate(const char *path, long length);
long sb_leaf_chmod(const char *path, unsigned mode);
long sb_leaf_chown(const char *path, unsigned uid, unsigned gid);
long sb_leaf_lchown(const char *path, unsigned uid, unsigned gid);
long sb_leaf_fchownat(int dirfd, const char *path, unsigned uid, unsigned gid, int flags);

long sb_leaf_chdir(const char *path);
long sb_leaf_fchdir(int fd);
long sb_leaf_chroot(const char *path);
