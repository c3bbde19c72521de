/*
 * Directories: opening is an open, the first reading of a stream is the listing. A stream is told
 * by its descriptor, which says where it is even if the program has moved since.
 */
#include "preload/around.h"

#include <linux/errno.h>
#include <linux/fcntl.h>
#include <stddef.h>

#include "preload/below.h"
#include "preload/plant.h"
#include "preload/tell.h"

/*
 * The streams that were told last, by address: each is told once, without a search. Two that share
 * a slot are told again, which the recorder takes for a repeat.
 */
#define STREAMS 64u
static const void *listed[STREAMS];

static const void **slot_of(const void *dir)
{
	uintptr_t address = (uintptr_t)dir;

	return &listed[(address >> 4 ^ address >> 15) % STREAMS];
}

static void stream_opened(const void *dir)
{
	__atomic_store_n(slot_of(dir), NULL, __ATOMIC_RELAXED);
}

static int descriptor_of(void *dir)
{
	static int (*descriptor)(void *);

	if (!descriptor)
		descriptor = sb_next("dirfd");
	return descriptor ? descriptor(dir) : (int)SB_OPENED;
}

static void tell_listed(void *dir)
{
	const void **slot = slot_of(dir);
	int fd;

	if (!sb_hook_tells(SB_BELOW_LIST))
		return;
	if (!dir || __atomic_load_n(slot, __ATOMIC_RELAXED) == dir)
		return;
	__atomic_store_n(slot, dir, __ATOMIC_RELAXED);
	fd = descriptor_of(dir);
	if (fd != SB_OPENED)
		sb_tell_read(SB_LIST, fd, ".", 0, 0);
}

void *sb_around_opendir(sb_opendir_fn *next, const char *path)
{
	bool tells = sb_hook_tells(SB_BELOW_OPEN);
	void *dir;

	sb_plant_later(SB_BELOW_LIST);
	dir = next(path);

	if (dir)
		stream_opened(dir);
	if (tells)
		sb_tell_open(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0,
			     dir ? descriptor_of(dir) : -(long)sb_errno_get());
	return dir;
}

void *sb_around_fdopendir(sb_fdopendir_fn *next, int fd)
{
	void *dir;

	sb_plant_later(SB_BELOW_LIST);
	dir = next(fd);

	if (dir)
		stream_opened(dir);
	return dir;
}

void *sb_around_readdir(sb_readdir_fn *next, void *dir)
{
	tell_listed(dir);
	return next(dir);
}

int sb_around_readdir_r(sb_readdir_r_fn *next, void *dir, void *entry, void *ret_entry)
{
	tell_listed(dir);
	return next(dir, entry, ret_entry);
}

/* Opens, reads and closes in one: no stream is seen. */
void sb_tell_scandir(int dirfd, const char *path, long raw)
{
	sb_tell_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0, raw < 0 ? raw : SB_OPENED);
	if (raw >= 0)
		sb_tell(SB_LIST, dirfd, path, 0, 0);
}

void sb_tell_list(int fd, long raw)
{
	if (raw >= 0)
		sb_tell_read(SB_LIST, fd, ".", 0, 0);
}
