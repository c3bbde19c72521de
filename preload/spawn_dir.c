/*
 * Where a spawned program's name is relative to: file actions may change the child's directory
 * before it is looked up there.
 *
 * Hooks on the functions that add such actions are no way to know: glibc before 2.29 lacks them,
 * and programs that ask whether they are there would find ours. So the list is read as glibc and
 * musl keep it, once a list of our own making has shown that this is how they do.
 */
#include "preload/spawn_dir.h"

#include <fcntl.h>
#include <sys/syscall.h>

#include "preload/exec.h"
#include "preload/recorder.h"
#include "preload/str.h"

#define CHDIR	    3 /* tags of glibc's */
#define FCHDIR	    4
#define MUSL_CHDIR  4
#define MUSL_FCHDIR 5
#define MOST	    4096 /* actions: more are garbage */
#define PROBE_FD    7
#define PROBE_DIR   "d"

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

/* musl's: a list whose last added is its head; carried out from its tail. */
struct musl_action {
	const struct musl_action *next, *prev;
	int tag, fd, source, flags;
	unsigned mode;
	char path[];
};

struct musl_actions {
	int unused[2];
	const struct musl_action *last;
	int later[16];
};

enum layout { UNKNOWN, GLIBC, MUSL, NEITHER };

/* Where a walk through either stands, and what it met: a path, or else a descriptor. */
struct walk {
	enum layout layout;
	const struct actions *glibc;
	const struct musl_action *musl;
	int steps;
	const char *path;
	int fd;
};

/* Whether a list with one of each looks as we think. */
static bool shows_glibc(const struct actions *probe)
{
	return probe->used == 2 && probe->allocated >= 2 && probe->list &&
	       probe->list[0].tag == CHDIR && sb_streq(probe->list[0].u.path, PROBE_DIR) &&
	       probe->list[1].tag == FCHDIR && probe->list[1].u.fd == PROBE_FD;
}

static bool shows_musl(const struct musl_actions *probe)
{
	const struct musl_action *last = probe->last, *first = last ? last->next : NULL;

	return first && last->tag == MUSL_FCHDIR && last->fd == PROBE_FD && !last->prev &&
	       first->tag == MUSL_CHDIR && sb_streq(first->path, PROBE_DIR) && !first->next &&
	       first->prev == last;
}

static enum layout probe_layout(void)
{
	int (*init)(void *) = sb_next("posix_spawn_file_actions_init");
	int (*destroy)(void *) = sb_next("posix_spawn_file_actions_destroy");
	int (*addchdir)(void *, const char *) = sb_next("posix_spawn_file_actions_addchdir_np");
	int (*addfchdir)(void *, int) = sb_next("posix_spawn_file_actions_addfchdir_np");
	union {
		struct actions glibc;
		struct musl_actions musl;
		char room[256]; /* should it be larger */
	} probe = {.room = ""};
	enum layout layout = NEITHER;

	if (!init || !destroy || !addchdir || !addfchdir || init(&probe))
		return NEITHER;
	if (!addchdir(&probe, PROBE_DIR) && !addfchdir(&probe, PROBE_FD)) {
		if (sb_is_glibc() && shows_glibc(&probe.glibc))
			layout = GLIBC;
		else if (!sb_is_glibc() && shows_musl(&probe.musl))
			layout = MUSL;
	}
	(void)destroy(&probe);
	return layout;
}

/* False: no actions, or none that can be read. */
static bool walk_begin(struct walk *w, const void *file_actions)
{
	static enum layout layout;
	const struct actions *glibc = file_actions;
	const struct musl_actions *musl = file_actions;

	if (!file_actions || (sb_is_glibc() ? glibc->used <= 0 : !musl->last))
		return false;
	if (layout == UNKNOWN)
		layout = probe_layout();
	*w = (struct walk){.layout = layout, .glibc = glibc};
	if (layout == GLIBC)
		return glibc->used <= MOST;
	if (layout == MUSL)
		for (w->musl = musl->last; w->musl->next && w->steps < MOST; w->steps++)
			w->musl = w->musl->next;
	return layout == MUSL && w->steps < MOST;
}

/* On to the next action that moves the child; false: there is none. */
static bool walk_on(struct walk *w)
{
	w->path = NULL;
	if (w->layout == GLIBC) {
		for (; w->steps < w->glibc->used; w->steps++) {
			const struct action *a = &w->glibc->list[w->steps];

			if (a->tag != CHDIR && a->tag != FCHDIR)
				continue;
			if (a->tag == CHDIR)
				w->path = a->u.path;
			else
				w->fd = a->u.fd;
			w->steps++;
			return true;
		}
		return false;
	}
	for (; w->musl; w->musl = w->musl->prev) {
		const struct musl_action *a = w->musl;

		if (a->tag != MUSL_CHDIR && a->tag != MUSL_FCHDIR)
			continue;
		w->path = a->tag == MUSL_CHDIR ? a->path : NULL;
		w->fd = a->fd;
		w->musl = a->prev;
		return true;
	}
	return false;
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
	struct walk w;

	return walk_begin(&w, file_actions) && walk_on(&w);
}

struct sb_spawn_dir sb_spawn_dir(const void *file_actions)
{
	struct sb_spawn_dir dir = {.fd = AT_FDCWD};
	struct walk w;

	if (!walk_begin(&w, file_actions))
		return dir;
	while (walk_on(&w)) {
		int fd = w.path ? open_dir(dir.fd, w.path) : w.fd;

		sb_spawn_dir_close(&dir);
		dir = (struct sb_spawn_dir){.fd = fd, .opened = w.path && fd >= 0};
		if (dir.fd < 0 && dir.fd != AT_FDCWD)
			break;
	}
	return dir;
}
