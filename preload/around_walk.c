/*
 * fts, nftw and daemon: libc changes the working directory by itself. Told to a guard by the
 * kernel, or not: where this process stands, it has to know itself.
 */
#include "preload/around.h"

#include <linux/fcntl.h>
#include <linux/sched.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/below.h"
#include "preload/tell.h"

/* Of fts.h and ftw.h: the same in every libc that has them. */
#define FTS_LOGICAL 0x2
#define FTS_NOCHDIR 0x4
#define FTW_CHDIR   4

/* Walks that are under way. One that finds no room here is taken to go on for ever: names are then
 * told with their directory, which costs a system call, and is right all the same. */
#define WALKS 16u
static const void *walks[WALKS];

static bool swap_walk(const void *from, const void *to)
{
	for (unsigned i = 0; i < WALKS; i++) {
		const void *there = from;

		if (__atomic_compare_exchange_n(&walks[i], &there, to, 0, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST))
			return true;
	}
	return false;
}

void *sb_around_fts_open(sb_fts_open_fn *next, char *const *paths, int options, void *compare)
{
	bool moves = !(options & (FTS_LOGICAL | FTS_NOCHDIR)) && sb_hook_moves();
	void *walk = next(paths, options, compare);

	if (walk && moves) {
		sb_record_wanders(true);
		(void)swap_walk(NULL, walk); /* no room: see above */
	}
	return walk;
}

int sb_around_fts_close(sb_fts_close_fn *next, void *walk)
{
	bool moved = walk && swap_walk(walk, NULL);
	int ret = next(walk);

	if (moved)
		sb_record_wanders(false);
	return ret;
}

int sb_around_nftw(sb_nftw_fn *next, const char *path, void *visit, int descriptors, int flags)
{
	bool moves = flags & FTW_CHDIR && sb_hook_moves();
	int ret;

	if (moves)
		sb_record_wanders(true);
	ret = next(path, visit, descriptors, flags);
	if (moves)
		sb_record_wanders(false);
	return ret;
}

int sb_around_daemon(sb_daemon_fn *next, int stay, int keep)
{
	bool moves = !stay && sb_hook_moves(), tells = sb_hook_tells(SB_BELOW_MOVE);
	int ret = next(stay, keep);

	if (moves && ret == 0) {
		if (tells)
			sb_tell(SB_STAT, AT_FDCWD, "/", 0, 0);
		sb_record_moved();
	}
	return ret;
}

int sb_around_unshare(sb_unshare_fn *next, int flags)
{
	int ret = next(flags);

	if (ret == 0 && flags & CLONE_FS && sb_recorder_on())
		sb_record_wanders(true);
	return ret;
}

int sb_around_clone(sb_clone_fn *next, void *run, void *stack, int flags, void *arg, void *parent,
		    void *tls, void *child)
{
	if ((flags & (CLONE_FS | CLONE_THREAD)) == CLONE_FS && sb_recorder_on())
		sb_record_wanders(true);
	return next(run, stack, flags, arg, parent, tls, child);
}
