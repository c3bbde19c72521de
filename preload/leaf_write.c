/* The leaf calls that open, make, rename, remove and change. */
#include "preload/leaf.h"

#include <linux/errno.h>
#include <linux/fcntl.h>

#include "preload/around.h"
#include "preload/cancel.h"
#include "preload/leaf_call.h"
#include "preload/tell.h"

long sb_leaf_openat(int dirfd, const char *path, int flags, unsigned mode, bool cancel)
{
	uint8_t existed = sb_open_existed(dirfd, path, (unsigned)flags);
	int type = cancel ? sb_cancel_begin() : 0;
	long raw;

	/* Without such flags the argument is whatever the register held. */
	if (!SB_OPEN_TAKES_MODE(flags))
		mode = 0;
	raw = SB_CALL(__NR_openat, dirfd, path, flags, mode);
	if (cancel)
		sb_cancel_end(type);
	sb_tell_open(dirfd, path, (unsigned)flags, existed, raw);
	if (flags & O_EXCL && raw >= 0)
		sb_tell_made(path);
	return raw;
}

long sb_leaf_rename(const char *from, const char *to)
{
#ifdef __NR_rename
	uint8_t existed = sb_record_existed(AT_FDCWD, to);
	long raw = SB_CALL(__NR_rename, from, to);

	sb_tell_rename(AT_FDCWD, from, AT_FDCWD, to, 0, existed, raw);
	return raw;
#else
	return sb_leaf_renameat(AT_FDCWD, from, AT_FDCWD, to);
#endif
}

long sb_leaf_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	uint8_t existed = sb_record_existed(to_dir, to);
	long raw = SB_CALL(__NR_renameat, from_dir, from, to_dir, to);

	sb_tell_rename(from_dir, from, to_dir, to, 0, existed, raw);
	return raw;
}

long sb_leaf_renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
	uint8_t existed;
	long raw;

	if (flags == 0)
		return sb_leaf_renameat(from_dir, from, to_dir, to);
	existed = sb_record_existed(to_dir, to);
	raw = SB_CALL(__NR_renameat2, from_dir, from, to_dir, to, flags);
	/* A kernel before 3.15: glibc's answer to flags that it cannot have. */
	if (raw == -ENOSYS)
		raw = -EINVAL;
	sb_tell_rename(from_dir, from, to_dir, to, flags, existed, raw);
	return raw;
}

long sb_leaf_link(const char *from, const char *to)
{
#ifdef __NR_link
	long raw = SB_CALL(__NR_link, from, to);

	sb_tell_link(AT_FDCWD, from, AT_FDCWD, to, 0, raw);
	return raw;
#else
	return sb_leaf_linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
#endif
}

long sb_leaf_linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
	long raw = SB_CALL(__NR_linkat, from_dir, from, to_dir, to, flags);

	sb_tell_link(from_dir, from, to_dir, to, flags, raw);
	return raw;
}

static long told_make(enum sb_op op, int dirfd, const char *path, long raw)
{
	sb_tell_make(op, dirfd, path, raw);
	return raw;
}

long sb_leaf_symlink(const char *target, const char *path)
{
#ifdef __NR_symlink
	long raw = SB_CALL(__NR_symlink, target, path);

	sb_tell_symlink(target, AT_FDCWD, path, raw);
	return raw;
#else
	return sb_leaf_symlinkat(target, AT_FDCWD, path);
#endif
}

long sb_leaf_symlinkat(const char *target, int dirfd, const char *path)
{
	long raw = SB_CALL(__NR_symlinkat, target, dirfd, path);

	sb_tell_symlink(target, dirfd, path, raw);
	return raw;
}

long sb_leaf_mkdir(const char *path, unsigned mode)
{
#ifdef __NR_mkdir
	return told_make(SB_OP_MKDIR, AT_FDCWD, path, SB_CALL(__NR_mkdir, path, mode));
#else
	return sb_leaf_mkdirat(AT_FDCWD, path, mode);
#endif
}

long sb_leaf_mkdirat(int dirfd, const char *path, unsigned mode)
{
	return told_make(SB_OP_MKDIR, dirfd, path, SB_CALL(__NR_mkdirat, dirfd, path, mode));
}

static long told_change(enum sb_op op, int dirfd, const char *path, uint8_t flags, long raw)
{
	sb_tell_change(op, dirfd, path, flags, raw);
	return raw;
}

static long told_remove(int dirfd, const char *path, long raw)
{
	return told_change(SB_OP_REMOVE, dirfd, path, SB_REC_NOFOLLOW, raw);
}

long sb_leaf_unlink(const char *path)
{
#ifdef __NR_unlink
	return told_remove(AT_FDCWD, path, SB_CALL(__NR_unlink, path));
#else
	return sb_leaf_unlinkat(AT_FDCWD, path, 0);
#endif
}

long sb_leaf_rmdir(const char *path)
{
#ifdef __NR_rmdir
	return told_remove(AT_FDCWD, path, SB_CALL(__NR_rmdir, path));
#else
	return sb_leaf_unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
#endif
}

long sb_leaf_unlinkat(int dirfd, const char *path, int flags)
{
	return told_remove(dirfd, path, SB_CALL(__NR_unlinkat, dirfd, path, flags));
}

long sb_leaf_remove(const char *path)
{
#ifdef __NR_unlink
	long raw = SB_CALL(__NR_unlink, path);
#else
	long raw = SB_CALL(__NR_unlinkat, AT_FDCWD, path, 0);
#endif

	return raw == -EISDIR ? sb_leaf_rmdir(path) : told_remove(AT_FDCWD, path, raw);
}

long sb_leaf_truncate(const char *path, long length)
{
	return told_change(SB_OP_CHANGE, AT_FDCWD, path, 0, SB_CALL(__NR_truncate, path, length));
}

long sb_leaf_chmod(const char *path, unsigned mode)
{
#ifdef __NR_chmod
	return told_change(SB_OP_CHANGE, AT_FDCWD, path, 0, SB_CALL(__NR_chmod, path, mode));
#else
	return told_change(SB_OP_CHANGE, AT_FDCWD, path, 0,
			   SB_CALL(__NR_fchmodat, AT_FDCWD, path, mode));
#endif
}

long sb_leaf_chown(const char *path, unsigned uid, unsigned gid)
{
#ifdef __NR_chown
	return told_change(SB_OP_CHANGE, AT_FDCWD, path, 0, SB_CALL(__NR_chown, path, uid, gid));
#else
	return sb_leaf_fchownat(AT_FDCWD, path, uid, gid, 0);
#endif
}

long sb_leaf_lchown(const char *path, unsigned uid, unsigned gid)
{
#ifdef __NR_lchown
	return told_change(SB_OP_CHANGE, AT_FDCWD, path, SB_REC_NOFOLLOW,
			   SB_CALL(__NR_lchown, path, uid, gid));
#else
	return sb_leaf_fchownat(AT_FDCWD, path, uid, gid, AT_SYMLINK_NOFOLLOW);
#endif
}

static uint8_t nofollow(int flags)
{
	return flags & AT_SYMLINK_NOFOLLOW ? SB_REC_NOFOLLOW : 0;
}

long sb_leaf_fchownat(int dirfd, const char *path, unsigned uid, unsigned gid, int flags)
{
	long raw = SB_CALL(__NR_fchownat, dirfd, path, uid, gid, flags);

	return told_change(SB_OP_CHANGE, dirfd, path, nofollow(flags), raw);
}
