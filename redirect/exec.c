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
#include "redirect/map.h"
#include "redirect/redirect.h"

#define HEAD  256 /* as much of a script as the kernel looks at */
#define SMALL 256 /* more pointers than that do not go to the stack */
#define SHORT 1024

struct line {
	char bytes[HEAD + 1];
	char *interpreter, *arg; /* arg: NULL none */
};

/* What reads a script. */
struct reader {
	const char *real;
	bool start;   /* it is one of ROOT */
	bool in_copy; /* it lies in the layer */
};

static long call(long nr, long a, long b, long c, long d)
{
	return sb_arch_syscall(nr, a, b, c, d, 0, 0);
}

/* With what a start is told behind the environment; `count` pointers of it, in `room`. */
static long execute_told(const char *real, char *const *argv, char *const *env, const char *told,
			 const char **room, size_t count)
{
	for (size_t i = 0; i < count; i++)
		room[i] = env[i];
	room[count] = told;
	room[count + 1] = NULL;
	return call(__NR_execve, (long)real, (long)argv, (long)room, 0);
}

static long map_room(size_t count)
{
	long at = sb_arch_syscall(__NR_mmap, 0, (long)(count * sizeof(char *)), 3 /* read, write */,
				  0x22 /* private, anonymous */, -1, 0);

	return at < 0 && at > -4096 ? 0 : at;
}

static long execute_with(const char *real, char *const *argv, char *const *env, const char *told)
{
	const char *room[SMALL + 2];
	size_t count = 0;
	long rc, at;

	if (!sb_count_list(env, &count))
		return -EFAULT;
	if (count <= SMALL)
		return execute_told(real, argv, env, told, room, count);
	at = map_room(count + 2);
	if (!at)
		return -ENOMEM;
	rc = execute_told(real, argv, env, told, (const char **)at, count);
	(void)call(__NR_munmap, at, (long)((count + 2) * sizeof(char *)), 0, 0);
	return rc;
}

__attribute__((noinline)) static long tell_long(const char *real, char *const *argv,
						char *const *env, const char *program,
						const char *name)
{
	char told[SB_TRANSIT_MAX];

	return sb_transit_make(program, name, told, sizeof(told))
		       ? execute_with(real, argv, env, told)
		       : -E2BIG;
}

/*
 * libc gives a child that it spawns 32 KiB of stack, with nothing to guard them: what is seldom
 * long takes no room for that.
 */
__attribute__((noinline)) static long tell_short(const char *real, char *const *argv,
						 char *const *env, const char *program,
						 const char *name)
{
	char told[SHORT];

	return sb_transit_make(program, name, told, sizeof(told))
		       ? execute_with(real, argv, env, told)
		       : -E2BIG;
}

static long tell_and_execute(const char *real, char *const *argv, char *const *env,
			     const char *program, const char *name)
{
	long rc = tell_short(real, argv, env, program, name);

	return rc == -E2BIG ? tell_long(real, argv, env, program, name) : rc;
}

/* What the process is to be called, where the kernel would not: it goes by the start's file. */
static const char *other_name(const char *real, const char *given)
{
	const char *name = sb_basename(given);

	return sb_streq(name, sb_basename(real)) || sb_strchr(name, 1) ? NULL : name;
}

/*
 * A start, which hears of the layer; `program`: it is to start that one (NULL: by its place). What
 * was asked for is `given`, NULL where that is it.
 */
static long execute_start(const char *real, char *const *argv, char *const *env,
			  const char *program, const char *given)
{
	if (!real)
		return -ENAMETOOLONG;
	const char *name = given && !program ? other_name(real, given) : NULL;
	return program || name || sb_here.layer
		       ? tell_and_execute(real, argv, env, program, name)
		       : call(__NR_execve, (long)real, (long)argv, (long)env, 0);
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

static long run_by_start(const char *real, char *const *argv, char *const *env);

static long run_with(const struct reader *reader, const struct line *line, const char *script,
		     char *const *argv, char *const *env, const char **room)
{
	char *const *words = (char *const *)room;
	long rc = -ENOEXEC;

	fill(room, line, script, argv);
	if (reader->start)
		return execute_start(reader->real, words, env, NULL, script);
	if (reader->in_copy)
		rc = run_by_start(reader->real, words, env);
	return rc == -ENOEXEC ? call(__NR_execve, (long)reader->real, (long)words, (long)env, 0)
			      : rc;
}

/* Many arguments: memory of our own, which an exec takes away, and a failed one must give back. */
static long run_large(const struct reader *reader, const struct line *line, const char *script,
		      char *const *argv, char *const *env, size_t count)
{
	long at = map_room(count + 4), rc;

	if (!at)
		return -ENOMEM;
	rc = run_with(reader, line, script, argv, env, (const char **)at);
	(void)call(__NR_munmap, at, (long)((count + 4) * sizeof(char *)), 0, 0);
	return rc;
}

/* The interpreter's own way in. False: the payload has none that can be started so. */
static bool find_ours(const char *path, struct sb_place *place, struct reader *ret)
{
	if (!sb_look(path, true, place) || !place->entry)
		return false;
	ret->start = place->entry->flags & SB_INDEX_PROGRAM;
	if (ret->start)
		ret->real = sb_place_in_root(place);
	else if (place->entry->type == SB_INDEX_FILE && !(place->entry->flags & SB_INDEX_SCRIPT))
		ret->real = sb_place_in_payload(place);
	return ret->real;
}

/* The same, where it may lie in the layer, or be a link there; in place->room, too. */
__attribute__((noinline)) static bool find_interpreter(const char *path, struct sb_place *place,
						       struct reader *ret)
{
	char settled[SB_PATH_MAX];
	const char *known;
	size_t at = 0;

	*ret = (struct reader){0};
	if (!sb_here.layer || !sb_is_layered(path))
		return find_ours(path, place, ret);
	known = sb_settle(AT_FDCWD, path, true, settled, &ret->in_copy);
	if (!known || !ret->in_copy)
		return known && find_ours(known, place, ret);
	if (!sb_puts(place->room, sizeof(place->room), &at, known))
		return false;
	ret->real = place->room;
	return true;
}

/* -ENOEXEC: no script, or none that the payload has an interpreter for. */
static long run_script(const char *script, const char *real, char *const *argv, char *const *env)
{
	const char *room[SMALL + 4];
	struct sb_place place = {.size = 0};
	struct reader reader;
	struct line line;
	size_t count = 0;

	if (!read_line(real, &line) || !find_interpreter(line.interpreter, &place, &reader))
		return -ENOEXEC;
	if (!sb_count_list(argv, &count))
		return -EFAULT;
	return count <= SMALL ? run_with(&reader, &line, script, argv, env, room)
			      : run_large(&reader, &line, script, argv, env, count);
}

/* What may be executed at all: a script is read by its interpreter, whoever may execute it. */
static bool may_execute(const char *real)
{
	return call(__NR_faccessat, AT_FDCWD, (long)real, 1 /* X_OK */, 0) == 0;
}

/* The payload has a dynamic linker for the program at `real` (absolute): with it. -ENOEXEC: none.
 */
__attribute__((noinline)) static long run_by_start(const char *real, char *const *argv,
						   char *const *env)
{
	struct sb_image image;
	struct sb_place place = {.size = 0};
	size_t at = 0;

	if (sb_read_interp(real, &image) < 0 || !sb_look(image.interp, true, &place) ||
	    !place.entry || !(place.entry->flags & SB_INDEX_LIBRARY))
		return -ENOEXEC;
	if (!sb_put(place.room, sizeof(place.room), &at, sb_here.root, sb_here.bundle_len) ||
	    !sb_puts(place.room, sizeof(place.room), &at, "/" SB_HOST_START))
		return -ENOEXEC;
	return execute_start(place.room, argv, env, real, NULL);
}

/*
 * One of this machine's: its script may still name an interpreter that is the payload's; and where
 * this machine lacks the dynamic linker that it needs, as for what was just compiled, the payload's
 * does. `known`: the path, absolute; NULL: it cannot be told.
 */
static long run_foreign(const struct sb_call *c, const char *path, const char *known,
			char *const *argv, char *const *env)
{
	bool may = may_execute(path);
	long rc = may ? run_script(path, path, argv, env) : -ENOEXEC;

	if (rc != -ENOEXEC)
		return rc;
	rc = sb_make(c);
	if (rc == -ENOENT && may && known) {
		long by_start = run_by_start(known, argv, env);

		rc = by_start == -ENOEXEC ? rc : by_start;
	}
	return rc;
}

/* One that lies in the layer: the payload's world is its own. */
static long run_in_layer(const char *real, const char *script, char *const *argv, char *const *env)
{
	long rc;

	if (!may_execute(real))
		return call(__NR_execve, (long)real, (long)argv, (long)env, 0);
	rc = run_script(script, real, argv, env);
	if (rc == -ENOEXEC)
		rc = run_by_start(real, argv, env);
	return rc == -ENOEXEC ? call(__NR_execve, (long)real, (long)argv, (long)env, 0) : rc;
}

static long run_ours(struct sb_place *place, const char *script, char *const *argv,
		     char *const *env)
{
	const char *real;

	if (place->entry->flags & SB_INDEX_PROGRAM)
		return execute_start(sb_place_in_root(place), argv, env, NULL, script);
	real = sb_place_in_payload(place);
	if (real && place->entry->flags & SB_INDEX_SCRIPT) {
		long rc = run_script(script, real, argv, env);

		if (rc != -ENOEXEC)
			return rc;
	}
	return real ? call(__NR_execve, (long)real, (long)argv, (long)env, 0) : -ENAMETOOLONG;
}

static long run_self(char *const *argv, char *const *env)
{
	struct sb_place place = {.size = 0};

	if (sb_here.by_name)
		return run_by_start(sb_here.real_program, argv, env);
	return sb_look(sb_here.program, true, &place) && place.entry
		       ? execute_start(sb_place_in_root(&place), argv, env, NULL, NULL)
		       : -ENOENT;
}

/* Makes `path` a name that can be looked up; NULL: it cannot be told. */
static const char *absolute(long dirfd, const char *path, char *buf, size_t size)
{
	const char *known;
	size_t at;

	if (path[0] != '/') {
		at = sb_name_of(dirfd, buf, size);
		if (!at)
			return NULL;
		/* Below the root there is a slash already. */
		if (path[0] &&
		    ((at > 1 && !sb_puts(buf, size, &at, "/")) || !sb_puts(buf, size, &at, path)))
			return NULL;
		path = buf;
	}
	known = sb_strip(path);
	return known ? known : path;
}

/* Nothing that the payload has; its links may lead to one of this machine's. */
static long run_absent(const struct sb_call *c, const char *path, const char *known,
		       const struct sb_place *place)
{
	bool at = c->nr == __NR_execveat;
	struct sb_call other = *c;

	if (!place->entry && place->path) {
		path = known = place->path;
		other.args[at] = (long)path;
	}
	/* What is hidden, the payload's interpreter could not read. */
	return at || place->opaque ? sb_make(&other)
				   : run_foreign(&other, path, known, (char *const *)c->args[1],
						 (char *const *)c->args[2]);
}

static long run_named(const struct sb_call *c, const char *path, const char *known,
		      const char *script, struct sb_place *place)
{
	bool at = c->nr == __NR_execveat;

	bool there = sb_look(known, true, place) && place->entry;

	/* As the kernel says of one that this machine has. */
	if (there && place->entry->type == SB_INDEX_DIR)
		return -EACCES;
	if (!there || place->entry->type != SB_INDEX_FILE)
		return run_absent(c, path, known, place);
	return run_ours(place, script, (char *const *)c->args[at + 1],
			(char *const *)c->args[at + 2]);
}

/*
 * A name in the layer, which may be a link that leads out of it. `buf`, of SB_PATH_MAX, may hold
 * `known`; where it goes is put into the place, for want of stack, and then there.
 */
static long run_layered(const struct sb_call *c, const char *known, const char *script,
			struct sb_place *place, char *buf)
{
	bool at = c->nr == __NR_execveat, copy = true;
	struct sb_call other = *c;
	const char *real = sb_settle(AT_FDCWD, known, true, place->room, &copy);
	size_t len = 0;

	if (!real)
		real = sb_layer_path(known, place->room, sizeof(place->room));
	if (!real)
		return -ENAMETOOLONG;
	if (copy)
		return run_in_layer(real, script, (char *const *)c->args[at + 1],
				    (char *const *)c->args[at + 2]);
	if (!sb_puts(buf, SB_PATH_MAX, &len, real))
		return -ENAMETOOLONG;
	other.args[at] = (long)buf;
	return run_named(&other, buf, buf, script == known ? buf : script, place);
}

long sb_redirect_exec(struct sb_call *c)
{
	bool at = c->nr == __NR_execveat;
	const char *path = (const char *)c->args[at], *known, *script;
	char *const *argv = (char *const *)c->args[at + 1];
	char *const *env = (char *const *)c->args[at + 2];
	long dirfd = at ? (int)c->args[0] : AT_FDCWD;
	char buf[SB_PATH_MAX];
	struct sb_place place = {.size = 0};

	if (!sb_here.index || !sb_can_read_string(path) || (!path[0] && !at))
		return sb_make(c);
	if (sb_is_self(path))
		return run_self(argv, env);
	known = absolute(dirfd, path, buf, sizeof(buf));
	if (!known)
		return path[0] && dirfd == AT_FDCWD ? run_foreign(c, path, NULL, argv, env)
						    : sb_make(c);
	/* A relative name is what the program gave, and what its script is to see. */
	script = path[0] && path[0] != '/' && dirfd == AT_FDCWD ? path : known;
	return sb_here.layer && sb_is_layered(known) ? run_layered(c, known, script, &place, buf)
						     : run_named(c, path, known, script, &place);
}
