/* The leaf calls that look: stat, access, readlink, listing, the working directory. */
#include "preload/leaf.h"

#include <linux/errno.h>
#include <linux/fcntl.h>

#include "preload/below.h"
#include "preload/leaf_call.h"
#include "preload/tell.h"

static uint8_t nofollow(int flags)
{
	return flags & AT_SYMLINK_NOFOLLOW ? SB_REC_NOFOLLOW : 0;
}

long sb_leaf_fstatat(int dirfd, const char *path, void *buf, int flags)
{
	long raw = SB_CALL(__NR_newfstatat, dirfd, path, buf, flags);

	sb_tell(SB_STAT, dirfd, path, nofollow(flags), raw);
	return raw;
}

long sb_leaf_xstat(int version, int dirfd, const char *path, void *buf, int flags)
{
	/* _STAT_VER_KERNEL everywhere, _STAT_VER_LINUX of x86_64: both mean the kernel's layout. */
#ifdef __x86_64__
	const int newest = 1;
#else
	const int newest = 0;
#endif
	if (version < 0 || version > newest)
		return -EINVAL;
#ifdef __x86_64__
	if (dirfd == AT_FDCWD && !(flags & ~AT_SYMLINK_NOFOLLOW)) {
		long raw = SB_CALL(flags ? __NR_lstat : __NR_stat, path, buf);

		sb_tell(SB_STAT, AT_FDCWD, path, nofollow(flags), raw);
		return raw;
	}
#endif
	return sb_leaf_fstatat(dirfd, path, buf, flags);
}

long sb_leaf_statx(int dirfd, const char *path, int flags, unsigned mask, void *buf)
{
	long raw = SB_CALL(__NR_statx, dirfd, path, flags, mask, buf);

	if (raw != -ENOSYS)
		sb_tell(SB_STAT, dirfd, path, nofollow(flags), raw);
	return raw;
}

static long told_stat(int dirfd, const char *path, uint8_t flags, long raw)
{
	sb_tell(SB_STAT, dirfd, path, flags, raw);
	return raw;
}

long sb_leaf_access(const char *path, int mode)
{
#ifdef __NR_access
	return told_stat(AT_FDCWD, path, 0, SB_CALL(__NR_access, path, mode));
#else
	return told_stat(AT_FDCWD, path, 0, SB_CALL(__NR_faccessat, AT_FDCWD, path, mode));
#endif
}

long sb_leaf_statfs(const char *path, void *buf)
{
	return told_stat(AT_FDCWD, path, 0, SB_CALL(__NR_statfs, path, buf));
}

static uint8_t link_itself(long nr)
{
	switch (nr) {
	case __NR_lgetxattr:
	case __NR_llistxattr:
	case __NR_lsetxattr:
	case __NR_lremovexattr:
		return SB_REC_NOFOLLOW;
	default:
		return 0;
	}
}

/* No such attribute, or no room for it: the file was found, and that is what a stat tells. */
static long found(long raw)
{
	return raw == -ENODATA || raw == -ERANGE || raw == -EOPNOTSUPP ? 0 : raw;
}

long sb_leaf_getxattr(long nr, const char *path, const char *name, void *value, unsigned long size)
{
	long raw = SB_CALL(nr, path, name, value, size);

	sb_tell(SB_STAT, AT_FDCWD, path, link_itself(nr), found(raw));
	return raw;
}

long sb_leaf_listxattr(long nr, const char *path, char *list, unsigned long size)
{
	long raw = SB_CALL(nr, path, list, size);

	sb_tell(SB_STAT, AT_FDCWD, path, link_itself(nr), found(raw));
	return raw;
}

long sb_leaf_setxattr(long nr, const char *path, const char *name, const void *value,
		      unsigned long size, int flags)
{
	long raw = SB_CALL(nr, path, name, value, size, flags);

	sb_tell_change(SB_OP_CHANGE, AT_FDCWD, path, link_itself(nr), raw);
	return raw;
}

long sb_leaf_removexattr(long nr, const char *path, const char *name)
{
	long raw = SB_CALL(nr, path, name);

	sb_tell_change(SB_OP_CHANGE, AT_FDCWD, path, link_itself(nr), raw);
	return raw;
}

/*
 * EINVAL is the everyday answer for what is no link, and then the path was read; only a buffer
 * without room is refused before that.
 */
static long told_readlink(int dirfd, const char *path, unsigned long size, long raw)
{
	if (raw == -EINVAL && size && size <= 0x7fffffff)
		sb_tell_read(SB_READLINK, dirfd, path, SB_REC_NOFOLLOW, raw);
	else
		sb_tell(SB_READLINK, dirfd, path, SB_REC_NOFOLLOW, raw);
	return raw;
}

long sb_leaf_readlink(const char *path, char *buf, unsigned long size)
{
#ifdef __NR_readlink
	return told_readlink(AT_FDCWD, path, size, SB_CALL(__NR_readlink, path, buf, size));
#else
	return sb_leaf_readlinkat(AT_FDCWD, path, buf, size);
#endif
}

long sb_leaf_readlinkat(int dirfd, const char *path, char *buf, unsigned long size)
{
	long raw = SB_CALL(__NR_readlinkat, dirfd, path, buf, size);

	return told_readlink(dirfd, path, size, raw);
}

long sb_leaf_getdents64(int fd, void *buf, unsigned long size)
{
	long raw = SB_CALL(__NR_getdents64, fd, buf, size);

	/* What ends a listing was told where it began. */
	if (raw > 0)
		sb_tell_read(SB_LIST, fd, ".", 0, raw);
	return raw;
}

long sb_leaf_chdir(const char *path)
{
	long raw;

	/* The name is relative to where it stands now, whoever moved it there. */
	sb_record_follow();
	raw = SB_CALL(__NR_chdir, path);
	/* Told before the move is: a relative path is relative to where it was given. Where the
	 * kernel is asked for that instead, it names the new one already. */
	sb_tell(SB_STAT, AT_FDCWD, raw == 0 && sb_record_strays() ? "." : path, 0, raw);
	if (raw == 0)
		sb_record_moved();
	return raw;
}

long sb_leaf_fchdir(int fd)
{
	long raw = SB_CALL(__NR_fchdir, fd);

	if (raw == 0)
		sb_record_moved();
	return raw;
}

long sb_leaf_chroot(const char *path)
{
	/* A guard is told of it by the kernel, wherever it comes from. */
	bool tells = sb_hook_tells(SB_BELOW_NOTHING);
	long raw = sb_record_chroot(path);

	/* Where it worked, that very directory is called by another name now. */
	if (tells)
		sb_tell(SB_STAT, AT_FDCWD, raw == 0 ? "/" : path, 0, raw);
	return raw;
}
