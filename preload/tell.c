#include "preload/tell.h"

#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>

#include "preload/str.h"

/*
 * Whether the path may be read. A bad pointer is EFAULT; but a call that was refused for another
 * argument, or by a filter, may have failed before it looked at the path: those few are asked
 * again. A path of PATH_MAX bytes or more was read no further by the kernel either.
 */
static bool readable(const char *path, long raw)
{
	if (!path)
		return false;
	switch (raw) {
	case -EFAULT:
		return false;
	case -ENAMETOOLONG:
		return sb_strnlen(path, PATH_MAX) < PATH_MAX;
	case -EINVAL:
	case -ENOSYS:
	case -EPERM:
	case -EOPNOTSUPP:
		if (!sb_recorder_on() || sb_recorder_sandboxed())
			return false;
#ifdef __NR_access
		return sb_raw(__NR_access, (long)path, 0, 0, 0, 0, 0) != -EFAULT;
#else
		return sb_raw(__NR_faccessat, AT_FDCWD, (long)path, 0, 0, 0, 0) != -EFAULT;
#endif
	default:
		return true;
	}
}

static struct sb_access access_of(enum sb_kind kind, int dirfd, const char *path, long raw)
{
	return (struct sb_access){
		.kind = (uint8_t)kind,
		.dirfd = dirfd,
		.path = path,
		.outcome = raw < 0 ? (int)-raw : 0,
		.fd = -1,
	};
}

void sb_tell_read(enum sb_kind kind, int dirfd, const char *path, uint8_t flags, long raw)
{
	struct sb_access access = access_of(kind, dirfd, path, raw);

	access.flags = flags;
	sb_record(&access);
}

void sb_tell(enum sb_kind kind, int dirfd, const char *path, uint8_t flags, long raw)
{
	if (readable(path, raw))
		sb_tell_read(kind, dirfd, path, flags, raw);
}

static void tell_write(enum sb_op op, int dirfd, const char *path, uint8_t flags,
		       const char *target, long raw)
{
	struct sb_access access = access_of(SB_WRITE, dirfd, path, raw);

	if (!readable(path, raw))
		return;
	access.op = (uint8_t)op;
	access.flags = flags;
	access.target = raw ? NULL : target;
	sb_record(&access);
}

/* What the answer itself says about a file that the call does not make. */
static uint8_t existed_by(long raw)
{
	if (raw >= 0)
		return SB_REC_EXISTED;
	return raw == -ENOENT ? SB_REC_NEW : 0;
}

/* The same of a call that makes it, or fails where it is. */
static uint8_t existed_by_making(long raw)
{
	if (raw >= 0)
		return SB_REC_NEW;
	return raw == -EEXIST ? SB_REC_EXISTED : 0;
}

void sb_tell_change(enum sb_op op, int dirfd, const char *path, uint8_t flags, long raw)
{
	tell_write(op, dirfd, path, (uint8_t)(flags | existed_by(raw)), NULL, raw);
}

void sb_tell_make(enum sb_op op, int dirfd, const char *path, long raw)
{
	tell_write(op, dirfd, path, (uint8_t)(SB_REC_NOFOLLOW | existed_by_making(raw)), NULL, raw);
}

void sb_tell_symlink(const char *target, int dirfd, const char *path, long raw)
{
	tell_write(SB_OP_SYMLINK, dirfd, path, (uint8_t)(SB_REC_NOFOLLOW | existed_by_making(raw)),
		   target, raw);
}

void sb_tell_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags,
		    uint8_t existed, long raw)
{
	/* Both names stay, and both mean another file now. */
	if (raw == 0 && (flags & RENAME_EXCHANGE)) {
		sb_tell_change(SB_OP_RENAME, from_dir, from, SB_REC_NOFOLLOW, raw);
		sb_tell_change(SB_OP_RENAME, to_dir, to, SB_REC_NOFOLLOW, raw);
		return;
	}
	sb_tell_change(SB_OP_MOVED, from_dir, from, SB_REC_NOFOLLOW, raw);
	tell_write(SB_OP_RENAME, to_dir, to, SB_REC_NOFOLLOW | existed, NULL, raw);
}

void sb_tell_link(int from_dir, const char *from, int to_dir, const char *to, int flags, long raw)
{
	uint8_t nofollow = flags & AT_SYMLINK_FOLLOW ? 0 : SB_REC_NOFOLLOW;

	/* EEXIST is about the new name alone, and comes after the old one was found. */
	sb_tell(SB_STAT, from_dir, from, nofollow, raw == -EEXIST ? 0 : raw);
	sb_tell_make(SB_OP_LINK, to_dir, to, raw);
}

/* O_TMPFILE names the directory, not the file; O_PATH makes the access mode meaningless. */
static bool opens_unwritten(uint64_t flags)
{
	return (flags & O_PATH) || (flags & __O_TMPFILE) == __O_TMPFILE;
}

static bool opens_for_writing(uint64_t flags)
{
	if (opens_unwritten(flags))
		return false;
	return (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
}

uint8_t sb_open_existed(int dirfd, const char *path, uint64_t flags)
{
	if (!(flags & O_CREAT) || (flags & O_EXCL) || opens_unwritten(flags))
		return 0;
	return sb_record_existed(dirfd, path);
}

void sb_tell_open(int dirfd, const char *path, uint64_t flags, uint8_t existed, long raw)
{
	struct sb_access access = access_of(SB_OPEN, dirfd, path, raw);
	bool writes = opens_for_writing(flags);

	if (!readable(path, raw))
		return;
	access.arg = flags;
	access.fd = raw < 0 || raw == SB_OPENED ? -1 : (int)raw;
	access.flags = flags & O_NOFOLLOW ? SB_REC_NOFOLLOW : 0;
	if (!writes || (flags & O_ACCMODE) != O_WRONLY)
		sb_record(&access);
	if (!writes)
		return;
	access.kind = SB_WRITE;
	access.op = SB_OP_OPEN;
	if (!(flags & O_CREAT))
		existed = existed_by(raw);
	else if (flags & O_EXCL)
		existed = existed_by_making(raw);
	access.flags |= existed;
	sb_record(&access);
}
