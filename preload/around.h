/*
 * Hooks that are more than a system call: each calls `next`, the program's own definition, and
 * tells the recorder from arguments and result. Result and errno are those of `next`.
 */
#pragma once

#include <stdbool.h>

/* open and stat where more than the system call is needed. */
typedef int sb_open_2_fn(const char *path, int flags);
typedef int sb_openat_2_fn(int dirfd, const char *path, int flags);
typedef int sb_statx_fn(int dirfd, const char *path, int flags, unsigned mask, void *buf);
int sb_around_open_2(sb_open_2_fn *next, const char *path, int flags);
int sb_around_openat_2(sb_openat_2_fn *next, int dirfd, const char *path, int flags);
int sb_around_statx(sb_statx_fn *next, int dirfd, const char *path, int flags, unsigned mask,
		    void *buf);

/* stdio: FILE is opaque here. */
typedef void *sb_fopen_fn(const char *path, const char *mode);
typedef void *sb_freopen_fn(const char *path, const char *mode, void *file);
void *sb_around_fopen(sb_fopen_fn *next, const char *path, const char *mode);
void *sb_around_freopen(sb_freopen_fn *next, const char *path, const char *mode, void *file);

/* mkstemp and its like: `flags` are those of mkostemp, `path` the template after the call. */
typedef char *sb_mkdtemp_fn(char *path);
void sb_tell_mkstemp(const char *path, int flags, long raw);
char *sb_around_mkdtemp(sb_mkdtemp_fn *next, char *path);

/* readlink, its fortified forms, and realpath. */
typedef long sb_readlink_fn(const char *path, char *buf, unsigned long size);
typedef long sb_readlinkat_fn(int dirfd, const char *path, char *buf, unsigned long size);
typedef long sb_readlink_chk_fn(const char *path, char *buf, unsigned long size,
				unsigned long room);
typedef long sb_readlinkat_chk_fn(int dirfd, const char *path, char *buf, unsigned long size,
				  unsigned long room);
typedef char *sb_realpath_fn(const char *path, char *resolved);
typedef char *sb_realpath_chk_fn(const char *path, char *resolved, unsigned long room);
typedef char *sb_canonicalize_fn(const char *path);
long sb_around_readlink(sb_readlink_fn *next, const char *path, char *buf, unsigned long size);
long sb_around_readlinkat(sb_readlinkat_fn *next, int dirfd, const char *path, char *buf,
			  unsigned long size);
long sb_around_readlink_chk(sb_readlink_chk_fn *next, const char *path, char *buf,
			    unsigned long size, unsigned long room);
long sb_around_readlinkat_chk(sb_readlinkat_chk_fn *next, int dirfd, const char *path, char *buf,
			      unsigned long size, unsigned long room);
char *sb_around_realpath(sb_realpath_fn *next, const char *path, char *resolved);
char *sb_around_realpath_chk(sb_realpath_chk_fn *next, const char *path, char *resolved,
			     unsigned long room);
char *sb_around_canonicalize(sb_canonicalize_fn *next, const char *path);

/*
 * What libc does beneath these: realpath asks of directories on its way, fchmodat that follows no
 * link opens the file, sem_open links what it has made (sb_tell_made: of an open that made a file).
 */
typedef void *sb_sem_open_fn(const char *name, int flags, unsigned mode, unsigned value);
void sb_tell_realpath(const char *path, long raw);
void sb_tell_fchmodat(int dirfd, const char *path, int flags, long raw);
void *sb_around_sem_open(sb_sem_open_fn *next, const char *name, int flags, unsigned mode,
			 unsigned value);
void sb_tell_made(const char *path);

/* DIR and struct dirent are opaque here. */
typedef void *sb_opendir_fn(const char *path);
typedef void *sb_fdopendir_fn(int fd);
typedef void *sb_readdir_fn(void *dir);
typedef int sb_readdir_r_fn(void *dir, void *entry, void *ret_entry);
void *sb_around_opendir(sb_opendir_fn *next, const char *path);
void *sb_around_fdopendir(sb_fdopendir_fn *next, int fd);
void *sb_around_readdir(sb_readdir_fn *next, void *dir);
int sb_around_readdir_r(sb_readdir_r_fn *next, void *dir, void *entry, void *ret_entry);
void sb_tell_scandir(int dirfd, const char *path, long raw);
/* A directory was read through its descriptor. */
void sb_tell_list(int fd, long raw);

/* Walks that may change the working directory from inside of libc, where no hook sees it. */
typedef void *sb_fts_open_fn(char *const *paths, int options, void *compare);
typedef int sb_fts_close_fn(void *walk);
typedef int sb_nftw_fn(const char *path, void *visit, int descriptors, int flags);
typedef int sb_daemon_fn(int stay, int keep);
void *sb_around_fts_open(sb_fts_open_fn *next, char *const *paths, int options, void *compare);
int sb_around_fts_close(sb_fts_close_fn *next, void *walk);
int sb_around_nftw(sb_nftw_fn *next, const char *path, void *visit, int descriptors, int flags);
int sb_around_daemon(sb_daemon_fn *next, int stay, int keep);

/*
 * From here on a thread stands elsewhere than the others of its process, or another process moves
 * this one about: names are told with their directory.
 */
typedef int sb_unshare_fn(int flags);
typedef int sb_clone_fn(void *run, void *stack, int flags, void *arg, void *parent, void *tls,
			void *child);
int sb_around_unshare(sb_unshare_fn *next, int flags);
int sb_around_clone(sb_clone_fn *next, void *run, void *stack, int flags, void *arg, void *parent,
		    void *tls, void *child);

/* AF_UNIX: what the address names. Nothing is told of others, nor of abstract names. */
void sb_tell_socket(const void *address, unsigned size, bool binds, long raw);

/* What a libc call's negative result and errno are in the kernel's form. */
#define SB_RAW(ret) ((ret) < 0 ? -(long)sb_errno_get() : (long)(ret))
