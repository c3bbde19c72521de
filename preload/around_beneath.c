/*
 * What libc looks at for itself beneath what it was asked for, past every hook and detour: told by
 * what it is known to do. Where the system calls are seen, all of this is seen.
 */
#include "preload/around.h"

#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/limits.h>
#include <stddef.h>

#include "preload/below.h"
#include "preload/exec.h"
#include "preload/str.h"
#include "preload/tell.h"

#ifndef __NR_fchmodat2 /* Linux 6.6; the same on every machine */
#define __NR_fchmodat2 452
#endif
#ifndef __NR_faccessat2
#define __NR_faccessat2 439
#endif
#define EACCESS 0x200 /* AT_EACCESS */

/* --- realpath ------------------------------------------------------------------------------------
 */

/*
 * What follows a component that is no link, where glibc asks whether that is a directory: no plain
 * name, but the end behind a slash, or "..".
 */
static bool wants_dir(const char *end)
{
	while (*end == '/') {
		while (*end == '/')
			end++;
		if (!*end)
			return true;
		if (*end != '.')
			return false;
		end++;
		if (!*end || (*end == '.' && (!end[1] || end[1] == '/')))
			return true;
	}
	return false;
}

/* The end of the next component that is a name; NULL: there is none. */
static const char *next_name(const char *p)
{
	for (;;) {
		const char *start, *end;

		while (*p == '/')
			p++;
		if (!*p)
			return NULL;
		start = p;
		while (*p && *p != '/')
			p++;
		end = p;
		if (!((end - start == 1 && start[0] == '.') ||
		      (end - start == 2 && start[0] == '.' && start[1] == '.')))
			return end;
	}
}

/* Apart, for its large buffer: few paths have such a component. */
static __attribute__((noinline)) void tell_dirs(const char *path, bool found)
{
	char part[PATH_MAX];

	for (const char *end = path; (end = next_name(end));) {
		size_t len = (size_t)(end - path);

		if (!wants_dir(end) || len + 2 > sizeof(part))
			continue;
		/* Where it failed, it did so at one of them: asked once more, as libc has asked. */
		sb_copy(part, path, len);
		part[len] = '/';
		part[len + 1] = 0;
		if (!found && sb_raw(__NR_faccessat2, AT_FDCWD, (long)part, 0, EACCESS, 0, 0) != 0)
			return;
		part[len] = 0;
		sb_tell(SB_STAT, AT_FDCWD, part, 0, 0);
	}
}

void sb_tell_realpath(const char *path, long raw)
{
	bool asks = false;

	sb_tell(SB_STAT, AT_FDCWD, path, 0, raw);
	if (!path || raw == -EFAULT || raw == -ENAMETOOLONG || !sb_is_glibc() ||
	    (raw < 0 && sb_recorder_sandboxed()))
		return;
	for (const char *end = path; !asks && (end = next_name(end));)
		asks = wants_dir(end);
	if (asks)
		tell_dirs(path, raw >= 0);
}

/* --- fchmodat, lchmod ----------------------------------------------------------------------------
 */

/* glibc 2.32 and later open the file, and change it through that where it is no link. Where the
 * kernel can do it, 2.39 leaves it to that. */
static bool opens_first(void)
{
	int minor = sb_glibc_minor();

	if (minor < 32 || sb_recorder_sandboxed())
		return minor >= 32 && minor < 39;
	return minor < 39 || sb_raw(__NR_fchmodat2, AT_FDCWD, 0, 0, 0, 0, 0) == -ENOSYS;
}

void sb_tell_fchmodat(int dirfd, const char *path, int flags, long raw)
{
	uint8_t nofollow = flags & AT_SYMLINK_NOFOLLOW ? SB_REC_NOFOLLOW : 0;
	/* It was there, and could not be changed. */
	bool found = raw >= 0 || raw == -EOPNOTSUPP || raw == -EPERM || raw == -EROFS;

	if (flags == AT_SYMLINK_NOFOLLOW && opens_first()) {
		sb_tell_open(dirfd, path, O_PATH | O_NOFOLLOW | O_CLOEXEC, 0,
			     found ? SB_OPENED : raw);
		sb_tell(SB_STAT, dirfd, path, nofollow, found ? 0 : raw);
	}
	sb_tell_change(SB_OP_CHANGE, dirfd, path, nofollow, raw);
}

/* --- sem_open ------------------------------------------------------------------------------------
 */

#define SEMAPHORES "/dev/shm/sem."

/* Calls under way. */
static uint32_t making;

void *sb_around_sem_open(sb_sem_open_fn *next, const char *name, int flags, unsigned mode,
			 unsigned value)
{
	bool makes = flags & O_CREAT && sb_recorder_on();
	void *semaphore;

	if (makes)
		(void)__atomic_add_fetch(&making, 1, __ATOMIC_SEQ_CST);
	semaphore = next(name, flags, mode, value);
	if (makes)
		(void)__atomic_sub_fetch(&making, 1, __ATOMIC_SEQ_CST);
	return semaphore;
}

/* What is made there under a name of its own is linked to the semaphore's. */
void sb_tell_made(const char *path)
{
	if (__atomic_load_n(&making, __ATOMIC_ACQUIRE) && sb_starts(path, SEMAPHORES))
		sb_tell(SB_STAT, AT_FDCWD, path, SB_REC_NOFOLLOW, 0);
}
