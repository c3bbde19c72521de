/*
 * Where a spawned program's name is relative to: file actions may change the child's directory
 * before it is looked up there.
 *
 * Hooks on the functions that add such actions are no way to know: glibc before 2.29 lacks them,
 * and programs that ask whether they are there would find ours. So the list is read as glibc keeps
 * it, once a list of our own making has shown that this is how it does.
 */
#include "preload/spawn_dir.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "preload/exec.h"
#include "preload/recorder.h"
#include "preload/str.h"

#define CHDIR	  3
#define FCHDIR	  4
#define MOST	  4096 /* actions: more are garbage */
#define PROBE_FD  7
#define PROBE_DIR "d"

struct action {
	int tag;
	union {
		const char *path; /* of CHDIR */
		int fd;		  /* of FCHDIR */
		uint64_t room[3];
	} u;
};

/* posix_spawn_file_actions_t; the rest of it is for the future. */
struct actions {
	int allocated;
	int used;
	const struct action *list;
	int later[16];
};

/* Whether a list with one of each looks as we think. */
static bool layout_shows(const struct actions *probe)
{
	return probe->used == 2 && probe->allocated >= 2 && probe->list &&
	       probe->list[0].tag == CHDIR && sb_streq(probe->list[0].u.path, PROBE_DIR) &&
	       probe->list[1].tag == FCHDIR && probe->list[1].u.fd == PROBE_FD;
}

static bool layout_is_known(void)
{
	static int known; /* 1 yes, 2 no */
	int (*init)(void *), (*destroy)(void *), (*addchdir)(void *, const char *),
		(*addfchdir)(void *, int);
	struct actions probe[2]; /* and room, should it be larger */

	if (known)
		return known == 1;
	init = sb_next("posix_spawn_file_actions_init");
	destroy = sb_next("posix_spawn_file_actions_destroy");
	addchdir = sb_next("posix_spawn_file_actions_addchdir_np");
	addfchdir = sb_next("posix_spawn_file_actions_addfchdir_np");
	known = 2;
	if (!sb_is_glibc() || !init || !destroy || !addchdir || !addfchdir || init(probe))
		return false;
	if (!addchdir(probe, PROBE_DIR) && !addfchdir(probe, PROBE_FD) && layout_shows(probe))
		known = 1;
	(void)destroy(probe);
	return known == 1;
}

static int open_dir(int dirfd, const char *path)
{
	return (int)sb_raw(SYS_openat, dirfd, (long)path, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0,
			   0);
}

void sb_spawn_dir_close(struct sb_spawn_dir *dir)
{
	if (dir->opened)
		(void)sb_raw(SYS_close, dir->fd, 0, 0, 0, 0, 0);
	dir->opened = false;
}

bool sb_spawn_moves(const void *file_actions)
{
	const struct actions *actions = file_actions;

	if (!actions || actions->used <= 0 || !layout_is_known() || actions->used > MOST)
		return false;
	for (int i = 0; i < actions->used; i++)
		if (actions->list[i].tag == FCHDIR || actions->list[i].tag == CHDIR)
			return true;
	return false;
}

struct sb_spawn_dir sb_spawn_dir(const void *file_actions)
{
	const struct actions *actions = file_actions;
	struct sb_spawn_dir dir = {.fd = AT_FDCWD};

	if (!actions || actions->used <= 0 || !layout_is_known() || actions->used > MOST)
		return dir;
	for (int i = 0; i < actions->used; i++) {
		const struct action *a = &actions->list[i];
		int fd;

		if (a->tag == FCHDIR) {
			sb_spawn_dir_close(&dir);
			dir.fd = a->u.fd;
		} else if (a->tag == CHDIR) {
			fd = open_dir(dir.fd, a->u.path);
			sb_spawn_dir_close(&dir);
			dir = (struct sb_spawn_dir){.fd = fd, .opened = fd >= 0};
		}
		if (dir.fd < 0 && dir.fd != AT_FDCWD)
			break;
	}
	return dir;
}
