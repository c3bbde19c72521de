/*
 * Programs that the program starts. Those of the payload are started by their namesake in ROOT, or,
 * where they need no dynamic linker, as they are; the payload's scripts with the payload's
 * interpreter; what is this machine's, as always. The environment is the program's own in each
 * case: there is nothing of ours in it.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "preload/arch.h"
#include "preload/str.h"
#include "redirect/redirect.h"

#define HEAD	   256 /* as much of a script as the kernel looks at */
#define SMALL_ARGV 512

struct line {
	char bytes[HEAD + 1];
	char *interpreter, *arg; /* arg: NULL none */
};

static long call(long nr, long a, long b, long c, long d)
{
	return sb_arch_syscall(nr, a, b, c, d, 0, 0);
}

static long execute(const char *path, char *const *argv, char *const *env)
{
	return path ? call(__NR_execve, (long)path, (long)argv, (long)env, 0) : -ENAMETOOLONG;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* execve(2): the rest of the line, blanks at its ends aside, is one argument. */
static bool read_line(const char *real, struct line *ret)
{
	long fd = call(__NR_openat, AT_FDCWD, (long)real, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0), n;
	char *p = ret->bytes + 2, *end;

	if (fd < 0)
		return false;
	n = call(__NR_read, fd, (long)ret->bytes, HEAD, 0);
	(void)call(__NR_close, fd, 0, 0, 0);
	if (n < 4 || ret->bytes[0] != '#' || ret->bytes[1] != '!')
		return false;
	ret->bytes[n] = 0;
	for (end = p; *end && *end != '\n'; end++)
		;
	while (end > p && is_blank(end[-1]))
		end--;
	*end = 0;
	while (is_blank(*p))
		p++;
	ret->interpreter = p;
	while (*p && !is_blank(*p))
		p++;
	ret->arg = NULL;
	if (*p) {
		*p++ = 0;
		while (is_blank(*p))
			p++;
		ret->arg = p;
	}
	return ret->interpreter[0] == '/';
}

static void fill(const char **to, const struct line *line, const char *script, char *const *argv)
{
	*to++ = line->interpreter;
	if (line->arg)
		*to++ = line->arg;
	*to++ = script;
	for (argv += argv && *argv; argv && *argv; argv++)
		*to++ = *argv;
	*to = NULL;
}

static long run_with(const char *real, const struct line *line, const char *script,
		     char *const *argv, char *const *env, const char **room)
{
	fill(room, line, script, argv);
	return execute(real, (char *const *)room, env);
}

/* Many arguments: memory of our own, which an exec takes away, and a failed one must give back. */
static long run_large(const char *real, const struct line *line, const char *script,
		      char *const *argv, char *const *env, size_t count)
{
	size_t size = (count + 4) * sizeof(char *);
	long at = sb_arch_syscall(__NR_mmap, 0, (long)size, 3 /* read, write */,
				  0x22 /* private, anonymous */, -1, 0);
	long rc;

	if (at < 0 && at > -4096)
		return -ENOMEM;
	rc = run_with(real, line, script, argv, env, (const char **)at);
	(void)call(__NR_munmap, at, (long)size, 0, 0);
	return rc;
}

/* The interpreter's own way in; NULL: the payload has none that can be started so. */
static const char *find_interpreter(const struct line *line, struct sb_place *place)
{
	if (!sb_look(line->interpreter, true, place) || !place->entry)
		return NULL;
	if (place->entry->flags & SB_INDEX_PROGRAM)
		return sb_place_in_root(place);
	return place->entry->type == SB_INDEX_FILE && !(place->entry->flags & SB_INDEX_SCRIPT)
		       ? sb_place_in_payload(place)
		       : NULL;
}

/* -ENOEXEC: no script, or none that the payload has an interpreter for. */
static long run_script(const char *script, const char *real, char *const *argv, char *const *env)
{
	const char *room[SMALL_ARGV + 4], *interpreter;
	struct sb_place place;
	struct line line;
	size_t count = 0;

	if (!read_line(real, &line))
		return -ENOEXEC;
	interpreter = find_interpreter(&line, &place);
	if (!interpreter)
		return -ENOEXEC;
	while (argv && argv[count])
		count++;
	return count <= SMALL_ARGV ? run_with(interpreter, &line, script, argv, env, room)
				   : run_large(interpreter, &line, script, argv, env, count);
}

/* What may be executed at all: a script is read by its interpreter, whoever may execute it. */
static bool may_execute(const char *real)
{
	return call(__NR_faccessat, AT_FDCWD, (long)real, 1 /* X_OK */, 0) == 0;
}

static long make(const struct sb_call *c)
{
	return sb_arch_syscall(c->nr, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4],
			       c->args[5]);
}

/* One of this machine's: its script may still name an interpreter that is the payload's. */
static long run_foreign(const struct sb_call *c, const char *path, char *const *argv,
			char *const *env)
{
	long rc = may_execute(path) ? run_script(path, path, argv, env) : -ENOEXEC;

	return rc == -ENOEXEC ? make(c) : rc;
}

static long run_ours(struct sb_place *place, const char *script, char *const *argv,
		     char *const *env)
{
	const char *real;

	if (place->entry->flags & SB_INDEX_PROGRAM)
		return execute(sb_place_in_root(place), argv, env);
	real = sb_place_in_payload(place);
	if (real && place->entry->flags & SB_INDEX_SCRIPT) {
		long rc = run_script(script, real, argv, env);

		if (rc != -ENOEXEC)
			return rc;
	}
	return execute(real, argv, env);
}

/* The name of what lies at `dirfd`, or of the current directory, with a '/' where it continues. */
static size_t name_of(long dirfd, char *buf, size_t size)
{
	char link[40];
	size_t at = 0;
	long n;

	if (dirfd == AT_FDCWD) {
		n = call(__NR_getcwd, (long)buf, (long)size, 0, 0) - 1;
	} else {
		(void)sb_puts(link, sizeof(link), &at, "/proc/self/fd/");
		(void)sb_put_number(link, sizeof(link), &at, (uint64_t)dirfd, 10);
		n = call(__NR_readlinkat, AT_FDCWD, (long)link, (long)buf, (long)size - 1);
	}
	if (n <= 0 || buf[0] != '/')
		return 0;
	buf[n] = 0;
	return (size_t)n;
}

/* Makes `path` a name that could be looked up; NULL: it is none of ours. */
static const char *absolute(long dirfd, const char *path, char *buf, size_t size)
{
	size_t at;

	if (path[0] != '/') {
		at = name_of((int)dirfd, buf, size);
		if (!at ||
		    (path[0] && (!sb_puts(buf, size, &at, "/") || !sb_puts(buf, size, &at, path))))
			return NULL;
		return sb_strip(buf);
	}
	const char *known = sb_strip(path);
	return known ? known : path;
}

long sb_redirect_exec(struct sb_call *c)
{
	bool at = c->nr == __NR_execveat;
	const char *path = (const char *)c->args[at], *known, *script;
	char *const *argv = (char *const *)c->args[at + 1];
	char *const *env = (char *const *)c->args[at + 2];
	long dirfd = at ? (int)c->args[0] : AT_FDCWD;
	char buf[SB_PATH_MAX];
	struct sb_place place;

	if ((uintptr_t)path < 4096 || (!path[0] && !at) || !sb_here.index)
		return make(c);
	known = absolute(dirfd, path, buf, sizeof(buf));
	if (!known)
		return path[0] && dirfd == AT_FDCWD ? run_foreign(c, path, argv, env) : make(c);
	if (!sb_look(known, true, &place) || !place.entry || place.entry->type != SB_INDEX_FILE)
		/* What is hidden, the payload's interpreter could not read. */
		return known == path && !place.opaque ? run_foreign(c, path, argv, env) : make(c);
	/* A relative name is what the program gave, and what its script is to see. */
	script = path[0] && path[0] != '/' && dirfd == AT_FDCWD ? path : known;
	return run_ours(&place, script, argv, env);
}
