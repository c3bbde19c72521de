/*
 * popen. Its streams are the libc's, which starts the shell from inside, past every hook: so its
 * child gets our environment by lending `environ` for the call.
 *
 * Other threads may be reading it then. One popen lends at a time, so that each gives back what it
 * found; and what was lent stays memory for good, with pointers where pointers were and text where
 * text was: whoever still walks through it finds variables of the same program.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/exec.h"
#include "preload/export.h"
#include "preload/shell.h"
#include "preload/state.h"

#define ENTRIES_LEAST 256
#define TEXT_LEAST    2048

extern char **__environ __attribute__((weak, visibility("default")));

SB_EXPORTED void *popen(const char *command, const char *mode);
SB_EXPORTED void *_IO_popen(const char *command, const char *mode);

typedef void *popen_fn(const char *command, const char *mode);

/* What is lent. One pointer tells all of it: whoever forks meanwhile has it whole. */
struct room {
	char *text;
	size_t entries, bytes;
	char *array[];
};

static struct room *kept;

/* In memory that a fork child gets empty: nobody holds it there. */
static uint32_t *lock_of(struct sb_recorder *st)
{
	return &st->passing->lending;
}

static struct room *take_room(size_t entries, size_t bytes)
{
	struct room *room = sb_load(&kept);
	long p;

	if (room && room->array != __environ && room->entries >= entries && room->bytes >= bytes)
		return room;
	/* What there was is left to its readers: twice as much, so it adds up to little. */
	entries = entries * 2 > ENTRIES_LEAST ? entries * 2 : ENTRIES_LEAST;
	bytes = bytes * 2 > TEXT_LEAST ? bytes * 2 : TEXT_LEAST;
	p = sb_raw(SYS_mmap, 0, (long)(sizeof(*room) + entries * sizeof(char *) + bytes),
		   PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if ((unsigned long)p > -4096UL)
		return NULL;
	room = (struct room *)p;
	room->text = (char *)(room->array + entries);
	room->entries = entries;
	room->bytes = bytes;
	sb_store(&kept, room);
	return room;
}

static void *lend_environ(const struct sb_exec *x, popen_fn *next, const char *command,
			  const char *mode)
{
	char **own = __environ, **ours;
	size_t entries = sb_env_entries(own);
	struct room *room =
		take_room(entries, sb_env_size(own, &x->want) - entries * sizeof(char *));
	void *stream;

	if (!room)
		return next(command, mode);
	ours = sb_env_compose_apart(own, &x->want, room->array, room->text);
	sb_store(&__environ, ours);
	stream = next(command, mode);
	/* Another thread's setenv has made a new array out of ours meanwhile: then it stays, and
	 * what it points to is the program's from now on. */
	if (!sb_cas(&__environ, &ours, own))
		sb_store(&kept, NULL);
	return stream;
}

static void *do_popen(popen_fn *next, const char *command, const char *mode)
{
	struct sb_recorder *st = sb_self();
	const char *argv[SB_SHELL_ARGS];
	struct sb_exec x;
	void *stream;

	if (!next) {
		sb_errno_set(ENOSYS);
		return NULL;
	}
	if (!command || !mode || !&__environ || !sb_recorder_on())
		return next(command, mode);
	sb_shell_argv(argv, command);
	if (sb_exec_begin(&x, AT_FDCWD, SB_SHELL, (char *const *)argv, 0) < 0)
		return next(command, mode);
	while (sb_swap(lock_of(st), 1))
		(void)sb_raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	stream = lend_environ(&x, next, command, mode);
	sb_store(lock_of(st), 0);
	sb_exec_end(&x, stream ? 0 : sb_errno_get());
	return stream;
}

void *popen(const char *command, const char *mode)
{
	static popen_fn *next;

	if (!next)
		next = sb_next("popen");
	return do_popen(next, command, mode);
}

void *_IO_popen(const char *command, const char *mode)
{
	static popen_fn *next;

	if (!next)
		next = sb_next("_IO_popen");
	return do_popen(next, command, mode);
}
