/* Calls that are one leaf call in most cases, and libc's own in the rest. */
#include "preload/around.h"

#include <linux/errno.h>
#include <linux/fcntl.h>

#include "preload/below.h"
#include "preload/leaf.h"
#include "preload/plant.h"
#include "preload/tell.h"

/* A mode that is missing is libc's to complain of, loudly. */
int sb_around_open_2(sb_open_2_fn *next, const char *path, int flags)
{
	if (SB_OPEN_TAKES_MODE(flags))
		return next(path, flags);
	return (int)sb_errno_return(sb_leaf_openat(AT_FDCWD, path, flags, 0, true));
}

int sb_around_openat_2(sb_openat_2_fn *next, int dirfd, const char *path, int flags)
{
	if (SB_OPEN_TAKES_MODE(flags))
		return next(dirfd, path, flags);
	return (int)sb_errno_return(sb_leaf_openat(dirfd, path, flags, 0, true));
}

/* Before Linux 4.11 libc makes one up from fstatat. */
int sb_around_statx(sb_statx_fn *next, int dirfd, const char *path, int flags, unsigned mask,
		    void *buf)
{
	long raw = sb_leaf_statx(dirfd, path, flags, mask, buf);
	bool tells;
	int ret;

	if (raw != -ENOSYS || !next)
		return (int)sb_errno_return(raw);
	tells = sb_hook_tells(SB_BELOW_STAT);
	ret = next(dirfd, path, flags, mask, buf);
	if (tells)
		sb_tell(SB_STAT, dirfd, path, flags & AT_SYMLINK_NOFOLLOW ? SB_REC_NOFOLLOW : 0,
			SB_RAW(ret));
	return ret;
}

/* A buffer without room is an error to glibc and a question to musl. */
long sb_around_readlink(sb_readlink_fn *next, const char *path, char *buf, unsigned long size)
{
	if (!size)
		return next(path, buf, size);
	return sb_errno_return(sb_leaf_readlink(path, buf, size));
}

long sb_around_readlinkat(sb_readlinkat_fn *next, int dirfd, const char *path, char *buf,
			  unsigned long size)
{
	if (!size)
		return next(dirfd, path, buf, size);
	return sb_errno_return(sb_leaf_readlinkat(dirfd, path, buf, size));
}

/* More than there is room for: libc aborts the program. */
long sb_around_readlink_chk(sb_readlink_chk_fn *next, const char *path, char *buf,
			    unsigned long size, unsigned long room)
{
	if (!size || size > room)
		return next(path, buf, size, room);
	return sb_errno_return(sb_leaf_readlink(path, buf, size));
}

long sb_around_readlinkat_chk(sb_readlinkat_chk_fn *next, int dirfd, const char *path, char *buf,
			      unsigned long size, unsigned long room)
{
	if (!size || size > room)
		return next(dirfd, path, buf, size, room);
	return sb_errno_return(sb_leaf_readlinkat(dirfd, path, buf, size));
}

/*
 * The links on the way are found again by whoever reads the trace. To the kernel all of it is a
 * readlink of each part; that the path itself was of interest is known here alone.
 */
static char *told_realpath(const char *path, char *real)
{
	if (!sb_hook_tells(SB_BELOW_NOTHING))
		return real;
	sb_tell_realpath(path, real ? 0 : -(long)sb_errno_get());
	return real;
}

char *sb_around_realpath(sb_realpath_fn *next, const char *path, char *resolved)
{
	sb_plant_later(SB_BELOW_READLINK);
	return told_realpath(path, next(path, resolved));
}

char *sb_around_realpath_chk(sb_realpath_chk_fn *next, const char *path, char *resolved,
			     unsigned long room)
{
	sb_plant_later(SB_BELOW_READLINK);
	return told_realpath(path, next(path, resolved, room));
}

char *sb_around_canonicalize(sb_canonicalize_fn *next, const char *path)
{
	sb_plant_later(SB_BELOW_READLINK);
	return told_realpath(path, next(path));
}
