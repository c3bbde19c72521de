/*
 * Calls that change something by name: this machine's files, the layer's, or what a link of the
 * payload leads to; the payload itself is never written to.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "preload/str.h"
#include "redirect/shape.h"

/* The same with those of its paths that lie in the layer led there. */
__attribute__((noinline)) long sb_make_in_layer(const struct sb_call *c, const struct sb_shape *s)
{
	const int8_t which[] = {s->path, s->path2};
	char room[2][SB_PATH_MAX];
	struct sb_call other = *c;

	for (int i = 0; i < 2; i++) {
		const char *path = which[i] < 0 ? NULL : (const char *)c->args[which[i]];

		if (!path || path[0] != '/' || !sb_is_layered(path))
			continue;
		path = sb_layer_path(path, room[i], SB_PATH_MAX);
		if (!path)
			return -ENAMETOOLONG;
		other.args[which[i]] = (long)path;
	}
	return sb_make(&other);
}

static long make_wherever(const struct sb_call *c, const struct sb_shape *s)
{
	return sb_here.layer ? sb_make_in_layer(c, s) : sb_make(c);
}

static bool makes_dir(long nr)
{
#ifdef __NR_mkdir
	if (nr == __NR_mkdir)
		return true;
#endif
	return nr == __NR_mkdirat;
}

/* As a file system that is mounted read-only does: mkdir -p counts on it. */
static long refuse(const struct sb_call *c, const struct sb_shape *s)
{
	char none[1];

	return makes_dir(c->nr) &&
			       sb_arch_syscall(__NR_readlinkat, sb_dirfd_of(c, s), c->args[s->path],
					       (long)none, sizeof(none), 0, 0) != -ENOENT
		       ? -EEXIST
		       : -EROFS;
}

/*
 * A directory above a copy was there, with the copy's in it, whether this machine has one or not.
 * 0: the call is none that it matters to.
 */
static long refuse_above(long nr)
{
	switch (nr) {
#ifdef __NR_mkdir
	case __NR_mkdir:
	case __NR_mknod:
	case __NR_symlink:
	case __NR_link:
#endif
	case __NR_mkdirat:
	case __NR_mknodat:
	case __NR_symlinkat:
	case __NR_linkat:
		return -EEXIST;
#ifdef __NR_rename
	case __NR_rename:
	case __NR_rmdir:
	case __NR_unlink:
#endif
	case __NR_renameat:
	case __NR_renameat2:
	case __NR_unlinkat:
		return -EBUSY;
	default:
		return 0;
	}
}

static long dirfd_of(const struct sb_call *c, const struct sb_shape *s, bool second)
{
	if (!second)
		return sb_dirfd_of(c, s);
	return s->dirfd2 < 0 ? AT_FDCWD : (int)c->args[s->dirfd2];
}

/* What the payload has of a path; of the second one these are further up. */
enum { WITHIN = 1, THERE = 2, PATH_BITS = 2 };

static long change_led(const struct sb_call *c, const struct sb_shape *s, bool second, bool led,
		       unsigned *found);

/* By the name that the program knows, whosever the directory is. */
static const char *from_root(long dirfd, const char *path, char *room)
{
	const char *ours = NULL;

	if (sb_may_be_inside(dirfd))
		ours = sb_from_root(dirfd, path, true, room, SB_PATH_MAX);
	return ours ? ours : sb_from_root(dirfd, path, false, room, SB_PATH_MAX);
}

/* After the one path the other, if there is one. */
static long go_on(const struct sb_call *c, const struct sb_shape *s, bool second, bool led,
		  unsigned *found)
{
	if (!second && s->path2 >= 0)
		return change_led(c, s, true, led, found);
	return led ? make_wherever(c, s) : (long)SB_GATE_PASS;
}

/*
 * A link of the payload may lead out of it, and so may a name that begins in it. What the payload
 * has cannot be made. SB_GATE_PASS: no path leads elsewhere.
 */
__attribute__((noinline)) static long change_led(const struct sb_call *c, const struct sb_shape *s,
						 bool second, bool led, unsigned *found)
{
	int8_t which = second ? s->path2 : s->path;
	const char *path = (const char *)c->args[which];
	char room[SB_PATH_MAX];
	struct sb_place place;
	struct sb_call other;
	size_t at = 0;

	if (path[0] && path[0] != '/')
		path = from_root(dirfd_of(c, s, second), path, room);
	place.size = 0;
	if (!path || path[0] != '/' || (sb_here.layer && sb_is_layered(path)) ||
	    !sb_look(path, sb_follows(s, sb_flags_of(c, s)), &place))
		return go_on(c, s, second, led, found);
	*found |= (place.entry ? THERE : place.within) << (second ? PATH_BITS : 0);
	if (place.through)
		return -ENOTDIR;
	if (place.entry && makes_dir(c->nr))
		return -EEXIST;
	if (place.entry || !place.path || !sb_put(room, sizeof(room), &at, place.path, place.len))
		return go_on(c, s, second, led, found);
	other = *c;
	other.args[which] = (long)room;
	return go_on(&other, s, second, true, found);
}

static bool begins_inside(const struct sb_call *c, const struct sb_shape *s)
{
	return sb_here.inside &&
	       (sb_is_inside(dirfd_of(c, s, false), (const char *)c->args[s->path]) ||
		(s->path2 >= 0 &&
		 sb_is_inside(dirfd_of(c, s, true), (const char *)c->args[s->path2])));
}

static long redirect_change(const struct sb_call *c, const struct sb_shape *s, unsigned long how);

/* With those of its paths led there that have to do with copies (redirect/settle.c). */
__attribute__((noinline)) static long
change_in_copies(const struct sb_call *c, const struct sb_shape *s, bool second, unsigned long how)
{
	int8_t which = second ? s->path2 : s->path;
	const char *path = (const char *)c->args[which];
	char room[SB_PATH_MAX];
	struct sb_call other = *c;
	const char *to = NULL;
	bool copy;

	if (path[0])
		to = sb_settle(dirfd_of(c, s, second), path, sb_follows(s, sb_flags_of(c, s)), room,
			       &copy);
	if (sb_is_above_copies(to ? to : path) && refuse_above(c->nr))
		return refuse_above(c->nr);
	if (to)
		other.args[which] = (long)to;
	if (!second && s->path2 >= 0)
		return change_in_copies(&other, s, true, how);
	long rc = redirect_change(&other, s, how);
	return rc == (long)SB_GATE_PASS || rc == (long)SB_GATE_AGAIN ? sb_make(&other) : rc;
}

long sb_redirect_change(const struct sb_call *c, const struct sb_shape *s, unsigned long how)
{
	if (!sb_here.index || !sb_can_read_paths(c, s))
		return sb_as_is(how);
	return sb_here.layer ? change_in_copies(c, s, false, how) : redirect_change(c, s, how);
}

/* Makes a name that is not there yet, and nothing else of its path. */
static bool makes_one(long nr)
{
	return refuse_above(nr) == -EEXIST;
}

/*
 * This machine has not what a name says, or not where it is to be: where the payload has it, it is
 * there, and stays as it is. rename(2) and link(2) lead from one name to another.
 */
static long refuse_absent(const struct sb_call *c, const struct sb_shape *s, unsigned found)
{
	unsigned from = found & (THERE | WITHIN), to = found >> PATH_BITS;
	char none[1];

	if (s->path2 < 0 && from == THERE)
		return makes_one(c->nr) ? -EEXIST : -EROFS;
	if (s->path2 < 0)
		return from == WITHIN && makes_one(c->nr) ? -EROFS : -ENOENT;
	if (from != THERE && sb_arch_syscall(__NR_readlinkat, sb_dirfd_of(c, s), c->args[s->path],
					     (long)none, sizeof(none), 0, 0) == -ENOENT)
		return -ENOENT;
	/* It may be led into a directory that both have. */
	if (from == THERE && to != THERE)
		return -EXDEV;
	if (!to)
		return -ENOENT;
	if (makes_one(c->nr))
		return to == THERE ? -EEXIST : -EROFS;
	return from == THERE ? -EROFS : -EXDEV;
}

static long redirect_change(const struct sb_call *c, const struct sb_shape *s, unsigned long how)
{
	unsigned found = 0;
	long rc;

	if (begins_inside(c, s)) {
		rc = change_led(c, s, false, false, &found);
		return rc == (long)SB_GATE_PASS ? refuse(c, s) : rc;
	}
	if (how & SB_ASKS && !sb_here.layer)
		return (long)SB_GATE_PASS;
	rc = make_wherever(c, s);
	if (rc != -ENOENT)
		return rc;
	rc = change_led(c, s, false, false, &found);
	return rc == (long)SB_GATE_PASS ? refuse_absent(c, s, found) : rc;
}
