/*
 * Starting programs: what is recorded of it, and how our modules come along.
 *
 * Order: sb_exec_begin (looks at the program, records the attempt), the call with the environment
 * that sb_exec_env() gives, sb_exec_end where the call came back. Nothing is allocated: all of it
 * works in a vfork child.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/environ.h"

#define SB_EXEC_FILES \
	6 /* a program and its chain of #! interpreters, as deep as the kernel follows it */

struct sb_exec {
	struct sb_env_want want;
	int dirfd; /* the program, as it was named */
	const char *path;
	uint64_t refs[SB_EXEC_FILES];
	unsigned files;
	bool passes; /* by the bypass: the image that it makes tells of itself */
};

/* 0, or -EFAULT: nothing was recorded, and the call will fail by itself. `flags` are execveat's. */
int sb_exec_begin(struct sb_exec *x, int dirfd, const char *path, char *const *argv, int flags);
void sb_exec_end(struct sb_exec *x, int outcome);

/*
 * Calls `run` with the environment for it, which lives as long as the call; errno is what `run`
 * left.
 */
typedef long sb_exec_run(char *const *envp, void *context);
long sb_exec_env(struct sb_exec *x, char *const *envp, sb_exec_run *run, void *context);

/* execveat(2), recorded; execve where dirfd is AT_FDCWD and flags are 0. Raw result. */
long sb_execveat(int dirfd, const char *path, char *const *argv, char *const *envp, int flags);

/* Lets libc's own execve pass with it, in this process or a vfork child. */
void sb_exec_allow(const struct sb_exec *x);

/*
 * libc's own execve, as its posix_spawn makes it in the child. By the bypass where the hook has
 * recorded this very program with this environment; else as libc would. Raw result.
 */
long sb_exec_below(const char *path, char *const *argv, char *const *envp);

/* The program's environment; NULL where the libc has none yet. */
char **sb_environ(void);
const char *sb_getenv(const char *name_and_equals);

/*
 * Walks PATH as the libc's execvp does: `attempt` is called with each candidate and returns 0 to
 * end the search, or the error it met. Returns 0 or the error that execvp would set.
 */
typedef int sb_path_attempt(const char *candidate, void *context);
int sb_path_walk(const char *file, sb_path_attempt *attempt, void *context);
bool sb_is_glibc(void);
/* 36 of glibc 2.36; 0: another libc. */
int sb_glibc_minor(void);
