/* fopen and freopen by their mode strings; mkstemp. */
#include "preload/around.h"

#include <linux/errno.h>
#include <linux/fcntl.h>

#include "preload/below.h"
#include "preload/tell.h"

/* The open(2) flags of a mode string, as glibc and musl read it. False: neither opens anything for
 * it. */
static bool mode_flags(const char *mode, uint64_t *ret_flags)
{
	uint64_t flags;

	switch (*mode) {
	case 'r':
		flags = O_RDONLY;
		break;
	case 'w':
		flags = O_WRONLY | O_CREAT | O_TRUNC;
		break;
	case 'a':
		flags = O_WRONLY | O_CREAT | O_APPEND;
		break;
	default:
		return false;
	}
	while (*++mode && *mode != ',') {
		if (*mode == '+')
			flags = (flags & ~(uint64_t)O_ACCMODE) | O_RDWR;
		else if (*mode == 'x')
			flags |= O_EXCL;
		else if (*mode == 'e')
			flags |= O_CLOEXEC;
	}
	*ret_flags = flags;
	return true;
}

static long raw_of(void *file)
{
	static int (*descriptor)(void *);

	if (!file)
		return -(long)sb_errno_get();
	if (!descriptor)
		descriptor = sb_next("fileno");
	return descriptor ? descriptor(file) : SB_OPENED;
}

void *sb_around_fopen(sb_fopen_fn *next, const char *path, const char *mode)
{
	uint64_t flags;
	uint8_t existed;
	void *file;

	if (!sb_hook_tells(SB_BELOW_OPEN) || !mode_flags(mode, &flags))
		return next(path, mode);
	existed = sb_open_existed(AT_FDCWD, path, flags);
	file = next(path, mode);
	sb_tell_open(AT_FDCWD, path, flags, existed, raw_of(file));
	return file;
}

void *sb_around_freopen(sb_freopen_fn *next, const char *path, const char *mode, void *file)
{
	uint64_t flags;
	uint8_t existed;

	/* Without a path it changes the mode of what is open: no name is used. */
	if (!path || !sb_hook_tells(SB_BELOW_OPEN) || !mode_flags(mode, &flags))
		return next(path, mode, file);
	existed = sb_open_existed(AT_FDCWD, path, flags);
	file = next(path, mode, file);
	sb_tell_open(AT_FDCWD, path, flags, existed, raw_of(file));
	return file;
}

void sb_tell_mkstemp(const char *path, int flags, long raw)
{
	uint64_t opened = ((unsigned)flags & ~(unsigned)O_ACCMODE) | O_RDWR | O_CREAT | O_EXCL;

	/* A template without its six X was never tried. */
	if (raw != -EINVAL)
		sb_tell_open(AT_FDCWD, path, opened, 0, raw);
}

char *sb_around_mkdtemp(sb_mkdtemp_fn *next, char *path)
{
	bool tells = sb_hook_tells(SB_BELOW_MKDIR);
	char *made = next(path);
	long raw = made ? 0 : -(long)sb_errno_get();

	if (tells && raw != -EINVAL)
		sb_tell_make(SB_OP_MKDIR, AT_FDCWD, path, raw);
	return made;
}
