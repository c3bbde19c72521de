/* posix_spawn and its like: the libc's own, with our environment for the child. */
#include "preload/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "preload/below.h"
#include "preload/exec.h"
#include "preload/export.h"
#include "preload/plant.h"
#include "preload/recorder.h"
#include "preload/spawn_dir.h"

typedef int spawn_fn(int *pid, const char *path, const void *actions, const void *attributes,
		     char *const argv[], char *const envp[]);

SB_EXPORTED spawn_fn posix_spawn, posix_spawnp, pidfd_spawn, pidfd_spawnp;

struct spawn {
	spawn_fn *next;
	int *pid;
	const char *path;
	const void *actions, *attributes;
	char *const *argv;
	struct sb_exec *exec; /* of a search: to be begun with what it finds */
	int dirfd;	      /* what relative names are relative to in the child */
};

static long run_spawn(char *const *envp, void *context)
{
	const struct spawn *s = context;
	/* Its opens are seen in the child, after a change of directory that perhaps is not. */
	bool moves = sb_hook_moves() && sb_spawn_moves(s->actions);
	long ret;

	if (s->exec && s->exec->passes) {
		sb_plant_later(SB_BELOW_EXEC);
		sb_exec_allow(s->exec);
	}
	if (moves)
		sb_record_wanders(true);
	ret = s->next(s->pid, s->path, s->actions, s->attributes, s->argv, envp);
	if (moves)
		sb_record_wanders(false);
	return ret;
}

/* The search that the libc will make once more in the child: told as it goes, up to what can be
 * executed. */
static int try_spawn(const char *candidate, void *context)
{
	const struct spawn *s = context;
	long raw = sb_raw(SYS_faccessat, s->dirfd, (long)candidate, X_OK, 0, 0, 0);
	const struct sb_access access = {.kind = SB_EXEC,
					 .dirfd = s->dirfd,
					 .path = candidate,
					 .outcome = (int)-raw,
					 .fd = -1};

	if (raw) {
		sb_record(&access);
		return (int)-raw;
	}
	return -sb_exec_begin(s->exec, s->dirfd, candidate, s->argv, 0);
}

/* Looks at what the child will look at, and records it. False: nothing that could be started. */
static bool begin(struct spawn *s, bool search, struct sb_exec *x)
{
	struct sb_spawn_dir dir = {.fd = AT_FDCWD};
	bool begun;

	if (sb_recorder_sandboxed())
		return sb_exec_begin(x, AT_FDCWD, s->path, s->argv, 0) >= 0;
	if (search || s->path[0] != '/')
		dir = sb_spawn_dir(s->actions);
	/* cppcheck-suppress autoVariables; s is the caller's, and of no use after this */
	s->exec = x;
	s->dirfd = dir.fd;
	if (dir.fd < 0 && dir.fd != AT_FDCWD)
		return false;
	begun = search ? sb_path_walk(s->path, try_spawn, s) == 0
		       : sb_exec_begin(x, dir.fd, s->path, s->argv, 0) >= 0;
	sb_spawn_dir_close(&dir);
	return begun;
}

static int spawn(struct spawn *s, bool search, char *const *envp)
{
	struct sb_exec x = {.passes = false};
	int ret;

	if (!s->next)
		return ENOSYS;
	if (!s->path || !sb_recorder_on() || !begin(s, search, &x))
		return (int)run_spawn(envp, s);
	ret = (int)sb_exec_env(&x, envp, run_spawn, s);
	sb_exec_end(&x, ret);
	return ret;
}

int sb_spawn(int *pid, const char *path, const void *attributes, char *const *argv,
	     char *const *envp)
{
	static spawn_fn *next;
	struct spawn s = {next ? next : (next = sb_next("posix_spawn")),
			  pid,
			  path,
			  NULL,
			  attributes,
			  argv,
			  NULL,
			  AT_FDCWD};

	return spawn(&s, false, envp);
}

#define SPAWN(name, search)                                                               \
	int name(int *pid, const char *path, const void *actions, const void *attributes, \
		 char *const argv[], char *const envp[])                                  \
	{                                                                                 \
		static spawn_fn *next;                                                    \
		struct spawn s = {next ? next : (next = sb_next(#name)),                  \
				  pid,                                                    \
				  path,                                                   \
				  actions,                                                \
				  attributes,                                             \
				  argv,                                                   \
				  NULL,                                                   \
				  AT_FDCWD};                                              \
                                                                                          \
		return spawn(&s, search, envp);                                           \
	}

SPAWN(posix_spawn, false)
SPAWN(posix_spawnp, true)
SPAWN(pidfd_spawn, false)
SPAWN(pidfd_spawnp, true)
