/* The exec family. Each ends in sb_execveat(); none of libc's own is called. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>

#include "preload/exec.h"
#include "preload/export.h"
#include "preload/recorder.h"
#include "preload/str.h"

SB_EXPORTED int execve(const char *path, char *const argv[], char *const envp[]);
SB_EXPORTED int execv(const char *path, char *const argv[]);
SB_EXPORTED int execvpe(const char *file, char *const argv[], char *const envp[]);
SB_EXPORTED int execvp(const char *file, char *const argv[]);
SB_EXPORTED int execl(const char *path, const char *arg, ...);
SB_EXPORTED int execle(const char *path, const char *arg, ...);
SB_EXPORTED int execlp(const char *file, const char *arg, ...);
SB_EXPORTED int fexecve(int fd, char *const argv[], char *const envp[]);
SB_EXPORTED int execveat(int dirfd, const char *path, char *const argv[], char *const envp[],
			 int flags);

struct search {
	char *const *argv;
	char *const *envp;
};

/* What has no header that the kernel knows is a shell script, says POSIX of execvp; musl disagrees.
 */
static __attribute__((noinline)) long run_as_script(const char *path, const struct search *s)
{
	size_t count = 0;
	char **argv;

	while (s->argv && s->argv[count])
		count++;
	argv = __builtin_alloca((count + 3) * sizeof(char *));
	argv[0] = (char *)"/bin/sh";
	argv[1] = (char *)path;
	argv[2] = NULL;
	for (size_t i = 1; i < count; i++) {
		argv[i + 1] = s->argv[i];
		argv[i + 2] = NULL;
	}
	return sb_execveat(AT_FDCWD, argv[0], argv, s->envp, 0);
}

static int try_exec(const char *candidate, void *context)
{
	const struct search *s = context;
	long raw = sb_execveat(AT_FDCWD, candidate, s->argv, s->envp, 0);

	if (raw == -ENOEXEC && sb_is_glibc())
		raw = run_as_script(candidate, s);
	return (int)-raw;
}

int execvpe(const char *file, char *const argv[], char *const envp[])
{
	struct search s = {argv, envp};

	sb_errno_set(sb_path_walk(file, try_exec, &s));
	return -1;
}

int execve(const char *path, char *const argv[], char *const envp[])
{
	return (int)sb_errno_return(sb_execveat(AT_FDCWD, path, argv, envp, 0));
}

int execv(const char *path, char *const argv[])
{
	return execve(path, argv, sb_environ());
}

int execvp(const char *file, char *const argv[])
{
	return execvpe(file, argv, sb_environ());
}

/* The arguments up to the NULL that ends them. */
static size_t count_args(const char *arg, va_list *rest)
{
	size_t n = 0;

	for (; arg; n++)
		arg = va_arg(*rest, const char *);
	return n;
}

/* Leaves `rest` behind the NULL. */
static void fill_args(char **argv, size_t n, const char *arg, va_list *rest)
{
	for (size_t i = 0; i < n; i++) {
		argv[i] = (char *)arg;
		arg = va_arg(*rest, const char *);
	}
	argv[n] = NULL;
}

/* argv of a variadic hook, on its own stack; `rest` stands behind the NULL afterwards. */
#define COLLECT(argv, arg, rest)                             \
	va_start(rest, arg);                                 \
	argc = count_args(arg, &rest);                       \
	va_end(rest);                                        \
	argv = __builtin_alloca((argc + 1) * sizeof(*argv)); \
	va_start(rest, arg);                                 \
	fill_args(argv, argc, arg, &rest)

int execl(const char *path, const char *arg, ...)
{
	va_list rest;
	size_t argc;
	char **argv;

	COLLECT(argv, arg, rest);
	va_end(rest);
	return execve(path, argv, sb_environ());
}

int execlp(const char *file, const char *arg, ...)
{
	va_list rest;
	size_t argc;
	char **argv;

	COLLECT(argv, arg, rest);
	va_end(rest);
	return execvpe(file, argv, sb_environ());
}

int execle(const char *path, const char *arg, ...)
{
	va_list rest;
	size_t argc;
	char **argv;
	char *const *envp;

	COLLECT(argv, arg, rest);
	envp = va_arg(rest, char *const *);
	va_end(rest);
	return execve(path, argv, envp);
}

int execveat(int dirfd, const char *path, char *const argv[], char *const envp[], int flags)
{
	return (int)sb_errno_return(sb_execveat(dirfd, path, argv, envp, flags));
}

int fexecve(int fd, char *const argv[], char *const envp[])
{
	char path[32];
	size_t at = 0;
	long raw;

	if (fd < 0 || !argv || !envp) {
		sb_errno_set(EINVAL);
		return -1;
	}
	raw = sb_execveat(fd, "", argv, envp, AT_EMPTY_PATH);
	if (raw != -ENOSYS)
		return (int)sb_errno_return(raw);
	(void)sb_puts(path, sizeof(path), &at, "/proc/self/fd/");
	(void)sb_put_number(path, sizeof(path), &at, (uint64_t)fd, 10);
	return execve(path, argv, envp);
}
