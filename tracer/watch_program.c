/* What a program file says of itself: read once, and again when it has changed. */
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tracer/interpreter.h"
#include "tracer/watch_private.h"

/* So many are remembered. */
#define PROGRAMS_MOST 4096
/* A file system's clock may tick that seldom. */
#define SETTLED_SECONDS 3

/* --- what it is, and what is remembered of it ------------------------------------------------ */

/* What changes with every change of the file; all of it is set, padding too. */
struct identity {
	uint64_t dev, ino, size;
	int64_t mtime, mtime_ns, ctime, ctime_ns;
};

static struct identity identity_of(const struct stat *st)
{
	return (struct identity){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime = st->st_mtim.tv_sec,
		.mtime_ns = st->st_mtim.tv_nsec,
		.ctime = st->st_ctim.tv_sec,
		.ctime_ns = st->st_ctim.tv_nsec,
	};
}

/* Set-id bits, and the capabilities of a file. */
static bool gains(const char *path, const struct stat *st)
{
	return (st->st_mode & S_ISUID && st->st_uid != geteuid()) ||
	       ((st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
		st->st_gid != getegid()) ||
	       getxattr(path, "security.capability", NULL, 0) > 0;
}

/* False: it may be another answer the next time. */
static bool read_program(struct sb_watch *w, const char *path, const struct stat *st,
			 struct watch_program *ret)
{
	struct sb_interpreter next;

	/* Only what runs without its privilege is asked about. */
	ret->gains = w->spec.no_new_privs && gains(path, st);
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int named = fd < 0 ? -errno : sb_interpreter_of(fd, &next);
	if (named < 0)
		return false;
	if (named) {
		ret->interpreter = watch_intern(w, next.path);
		ret->script = next.script;
	}
	/* Changed just now, it may be changed once more and bear the same time. */
	return st->st_ctim.tv_sec + SETTLED_SECONDS < time(NULL);
}

void watch_program(struct sb_watch *w, const char *path, struct watch_program *ret)
{
	struct watch_program *kept;
	struct stat st;

	*ret = (struct watch_program){0};
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	struct identity id = identity_of(&st);
	const struct sb_map_entry *e = sb_map_find(&w->programs, (char *)&id, sizeof id);
	if (e && e->value) {
		*ret = *(struct watch_program *)e->value;
		return;
	}
	if (!read_program(w, path, &st, ret))
		return;
	if (w->programs.count >= PROGRAMS_MOST)
		watch_forget_programs(w);
	kept = malloc(sizeof *kept);
	struct sb_map_entry *fresh =
		kept ? sb_map_add(&w->programs, (char *)&id, sizeof id, NULL) : NULL;
	if (!fresh) {
		free(kept);
		return;
	}
	*kept = *ret;
	fresh->value = kept;
}

void watch_forget_programs(struct sb_watch *w)
{
	for (size_t i = 0; i < w->programs.count; i++)
		free(w->programs.entries[i].value);
	sb_map_free(&w->programs);
}
