/*
 * What becomes of a call that names a path: the payload's file where the payload has one, this
 * machine's where it has not and may be seen. Calls that change something by name are the kernel's:
 * a payload is never written to.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "preload/arch.h"
#include "preload/str.h"
#include "redirect/shape.h"
#include "tracer/syscalls.h"

/*
 * The same with another path, which is absolute. As the last that is done: the gate makes the call,
 * where the path stays so long.
 */
static long make_with(const struct sb_call *c, const struct sb_shape *s, const char *path)
{
	struct sb_call other = *c;

	if (!path)
		return -ENAMETOOLONG;
	other.args[s->path] = (long)path;
	return sb_make(&other);
}

static long end_with(struct sb_call *c, const struct sb_shape *s, const char *path,
		     const struct sb_place *place)
{
	if (!path || place != c->small)
		return make_with(c, s, path);
	c->args[s->path] = (long)path;
	return (long)SB_GATE_AGAIN;
}

/* A file that is there to be read, and will not be written. */
static long open_to_write(struct sb_call *c, const struct sb_place *place)
{
	long rc = sb_make(c);

	/* As on a file system that is mounted read-only: programs that can do with less know that
	 * one. */
	return rc == -ENOENT && place->entry ? -EROFS : rc;
}

#define MAY_WRITE 2 /* W_OK */

/* It says of the payload what an open to write does. */
static long make_in_payload(struct sb_call *c, const struct sb_shape *s, struct sb_place *place)
{
	const char *path = sb_place_in_payload(place);
	struct sb_call other = *c;
	long rc;

	if (!sb_is_access(c->nr) || !(c->args[s->path + 1] & MAY_WRITE))
		return end_with(c, s, path, place);
	other.args[s->path + 1] &= ~MAY_WRITE;
	rc = make_with(&other, s, path);
	return rc == 0 ? -EROFS : rc;
}

/* Both may have it: this machine's comes first, as it does below /etc and /var. */
static long merged(struct sb_call *c, const struct sb_shape *s, struct sb_place *place)
{
	long rc = sb_make(c);

	return rc == -ENOENT ? make_in_payload(c, s, place) : rc;
}

/* The program's own file, under the names that always mean it. */
bool sb_is_self(const char *path)
{
	long pid = 0;

	if (sb_streq(path, "/proc/self/exe") || sb_streq(path, "/proc/thread-self/exe"))
		return true;
	/* realpath(3) follows /proc/self first. */
	if (!sb_starts(path, "/proc/") || path[6] < '1' || path[6] > '9')
		return false;
	for (path += 6; *path >= '0' && *path <= '9' && pid < INT32_MAX; path++)
		pid = pid * 10 + (*path - '0');
	return sb_streq(path, "/exe") && pid == sb_arch_syscall(__NR_getpid, 0, 0, 0, 0, 0, 0);
}

/* What the dynamic linker would take libraries from, were it this machine's own. */
static bool is_linkers(const char *path)
{
	return sb_starts(path, "/etc/ld");
}

static long redirect(struct sb_call *c, const struct sb_shape *s, const char *path,
		     unsigned long how);

static long redirect_found(struct sb_call *c, const struct sb_shape *s, struct sb_place *place,
			   unsigned long flags, unsigned long how)
{
	const struct sb_index_entry *e = place->entry;

	if (sb_here.layer && sb_is_layered(place->path))
		return end_with(c, s, sb_place_in_layer(place), place);
	if (s->kind == SB_OPEN && sb_writes(flags))
		return open_to_write(c, place);
	if (e->type == SB_INDEX_DIR && (s->kind == SB_OPEN || s->act == SB_ACT_CHDIR)) {
		sb_here.inside = true;
		sb_here.entered |= s->act == SB_ACT_CHDIR;
		sb_here.shares |= s->act == SB_ACT_CHDIR;
	}
	if (e->type == SB_INDEX_DIR && !(e->flags & SB_INDEX_OPAQUE))
		return merged(c, s, place);
	if (how & SB_LINKER && s->kind == SB_OPEN && e->flags & SB_INDEX_LIBRARY)
		return end_with(c, s, sb_place_in_root(place), place);
	return make_in_payload(c, s, place);
}

/*
 * What has to do with copies, as said in redirect/settle.c; SB_GATE_PASS: it has not. `how` of who
 * asks: the call is made here, as its name is another.
 */
__attribute__((noinline)) static long in_copies(const struct sb_call *c, const struct sb_shape *s,
						const char *path, unsigned long how)
{
	char room[SB_PATH_MAX];
	struct sb_call other = *c;
	unsigned long flags = sb_flags_of(c, s);
	/* What is to be new is not a link, wherever that leads. */
	bool copy, fresh = s->kind == SB_OPEN && flags & O_CREAT && flags & O_EXCL;
	const char *to =
		sb_settle(sb_dirfd_of(c, s), path, !fresh && sb_follows(s, flags), room, &copy);

	if (!to || sb_resolves_otherwise(c, s))
		return (long)SB_GATE_PASS;
	other.args[s->path] = (long)to;
	if (copy)
		return sb_make(&other);
	long rc = redirect(&other, s, to, how);
	return rc == (long)SB_GATE_PASS || rc == (long)SB_GATE_AGAIN ? sb_make(&other) : rc;
}

static long redirect_absent(struct sb_call *c, const struct sb_shape *s,
			    const struct sb_place *place, const char *path, unsigned long flags,
			    unsigned long how)
{
	bool opens = s->kind == SB_OPEN || s->act == SB_ACT_CHDIR;

	if ((opens || how & SB_LINKER) && place->opaque &&
	    !(s->kind == SB_OPEN && sb_writes(flags)))
		return -ENOENT;
	if (how & SB_LINKER &&
	    (is_linkers(path) || (s->kind == SB_OPEN && sb_library_is_ours(path))))
		return -ENOENT;
	/* A link of this machine may lead to a directory that there is a copy of. */
	if (sb_here.layer && !sb_starts(path, "/proc/")) {
		long rc = in_copies(c, s, place->path ? place->path : path, how);

		if (rc != (long)SB_GATE_PASS)
			return rc;
	}
	if (s->kind == SB_OPEN && flags & O_CREAT && place->within && !(how & SB_ASKS)) {
		/* This machine may lack the directory. */
		long rc = place->path ? make_with(c, s, place->path) : sb_make(c);

		return rc == -ENOENT ? -EROFS : rc;
	}
	return place->path ? end_with(c, s, place->path, place) : sb_as_is(how);
}

/* Where the room is not the largest and does not do, place->full, and nothing was done. */
static long redirect_in(struct sb_call *c, const struct sb_shape *s, const char *path,
			unsigned long how, struct sb_place *place)
{
	unsigned long flags = sb_flags_of(c, s);

	if (how & SB_LINKER && s->kind == SB_OPEN) {
		const char *first = sb_library_first(path, place);

		if (first)
			return make_with(c, s, first);
	}
	if (!sb_look(path, sb_follows(s, flags), place))
		return place->full && place->size ? 0 : sb_as_is(how);
	if (place->through)
		return -ENOTDIR;
	if (place->entry)
		return redirect_found(c, s, place, flags, how);
	return redirect_absent(c, s, place, path, flags, how);
}

__attribute__((noinline)) static long redirect_large(struct sb_call *c, const struct sb_shape *s,
						     const char *path, unsigned long how)
{
	struct sb_place place;

	place.size = 0;
	return redirect_in(c, s, path, how, &place);
}

_Static_assert(offsetof(struct sb_place, room) + SB_SMALL_FRONT + SB_SMALL_ROOM <= SB_GATE_ROOM,
	       "what the gate gives room for");

/* A signal handler's stack may be small: mostly the gate's room will do. */
__attribute__((noinline)) static long redirect(struct sb_call *c, const struct sb_shape *s,
					       const char *path, unsigned long how)
{
	struct sb_place *place = c->small;
	long rc;

	if (path[1] == 'p' && sb_follows(s, sb_flags_of(c, s)) && sb_is_self(path))
		return make_with(c, s, sb_here.real_program);
	if (sb_here.layer && sb_is_layered(path))
		return sb_make_in_layer(c, s);
	/* musl is its own linker: what it asks is mostly the program's. */
	if ((how & SB_LINKER && sb_here.base[sb_here.index->library_path]) ||
	    sb_here.front > SB_SMALL_FRONT)
		return redirect_large(c, s, path, how);
	place->size = sb_here.front + SB_SMALL_ROOM;
	rc = redirect_in(c, s, path, how, place);
	return place->full ? redirect_large(c, s, path, how) : rc;
}

/*
 * A name that begins at a directory which is not the payload's: the payload may have it all the
 * same, where both have that directory. `otherwise`, where this is none that it could have.
 */
__attribute__((noinline)) static long redirect_relative(struct sb_call *c, const struct sb_shape *s,
							const char *path, unsigned long how,
							long otherwise)
{
	char whole[SB_PATH_MAX];

	path = sb_from_root(sb_dirfd_of(c, s), path, false, whole, sizeof(whole));
	return path ? redirect(c, s, path, how) : otherwise;
}

/* The payload is not written to; a link of its may lead out of it. */
__attribute__((noinline)) static long write_inside(struct sb_call *c, const struct sb_shape *s,
						   const char *path, unsigned long flags)
{
	struct sb_place place;

	place.size = 0;
	if (!sb_look(path, sb_follows(s, flags), &place))
		return sb_make(c);
	if (place.through)
		return -ENOTDIR;
	if (!place.entry && place.path)
		return make_with(c, s, place.path);
	return place.entry || flags & O_CREAT ? -EROFS : -ENOENT;
}

static bool may_lead_out(const char *path, const struct sb_shape *s, unsigned long flags)
{
	return sb_follows(s, flags) || sb_strchr(path, '/');
}

/* One that begins at a directory of the payload; SB_GATE_PASS: it does not. */
__attribute__((noinline)) static long redirect_inside(struct sb_call *c, const struct sb_shape *s,
						      const char *path, unsigned long how)
{
	unsigned long flags = sb_flags_of(c, s);
	bool changes = s->kind == SB_OPEN && sb_writes(flags);
	char whole[SB_PATH_MAX];

	if (!changes && !may_lead_out(path, s, flags))
		return (long)SB_GATE_PASS;
	path = sb_from_root(sb_dirfd_of(c, s), path, true, whole, sizeof(whole));
	if (!path)
		return (long)SB_GATE_PASS;
	return changes ? write_inside(c, s, path, flags) : redirect(c, s, path, how);
}

/*
 * Whoever asks makes the call, but where it would find nothing: it may be one that waits, as an
 * open of a fifo does, and is to be cancelled.
 */
static long redirect_asked(struct sb_call *c, const struct sb_shape *s, const char *path,
			   unsigned long how)
{
	if (!path[0] ||
	    sb_arch_syscall(__NR_faccessat, sb_dirfd_of(c, s), (long)path, 0, 0, 0, 0) != -ENOENT)
		return sb_as_is(how);
	long rc = redirect_relative(c, s, path, how, -ENOENT);
	return rc == -ENOENT ? sb_as_is(how) : rc;
}

static long resolve(struct sb_call *c, const struct sb_shape *s, const char *path,
		    unsigned long how)
{
	long rc = (long)SB_GATE_PASS;

	if (sb_here.layer && path[0] && (path[0] != '/' || sb_is_layered(path)))
		rc = in_copies(c, s, path, how);
	if (rc != (long)SB_GATE_PASS)
		return rc;
	if (path[0] == '/')
		return redirect(c, s, path, how);
	if (path[0] && sb_may_be_inside(sb_dirfd_of(c, s)))
		rc = redirect_inside(c, s, path, how);
	if (rc == (long)SB_GATE_PASS && path[0] && sb_here.shares && !(how & SB_LINKER) &&
	    sb_dirfd_of(c, s) == AT_FDCWD)
		rc = redirect_relative(c, s, path, how, (long)SB_GATE_PASS);
	if (rc != (long)SB_GATE_PASS)
		return rc;
	if (how & SB_ASKS)
		return redirect_asked(c, s, path, how);
	rc = sb_make(c);
	return rc == -ENOENT && path[0] ? redirect_relative(c, s, path, how, -ENOENT) : rc;
}

static long read_link(struct sb_call *c, const struct sb_shape *s, unsigned long how)
{
	const char *path = (const char *)c->args[s->path];

	if (!sb_starts(path, "/proc/"))
		return resolve(c, s, path, how);
	if (sb_is_bad((const char *)c->args[s->path + 1]) || (int)c->args[s->path + 2] <= 0)
		return sb_make(c);
	return sb_told_link(c, s->path, sb_is_self(path) ? sb_here.program : NULL);
}

/* The dynamic linker has read the environment by now; what it was not to see is put back. */
static void show_environment(void)
{
	for (char **e = sb_here.environment; *e; e++)
		if ((*e)[0] == 1)
			(*e)[0] = 'L';
	sb_library_restore();
	sb_here.environment_hidden = false;
}

/* What names no path by itself. */
static long redirect_other(struct sb_call *c, unsigned long how)
{
	long rc;

	switch (c->nr) {
	case __NR_getcwd:
		return sb_told_cwd(c);
	case __NR_getsockname:
	case __NR_getpeername:
		return sb_told_socket(c);
	case __NR_fchdir:
		sb_here.entered |= sb_here.inside;
		sb_here.shares |= sb_here.inside;
		return sb_as_is(how);
	case __NR_getdents64:
		return sb_redirect_list(c);
	default:
		rc = sb_redirect_socket(c);
		return rc == (long)SB_GATE_PASS ? sb_as_is(how) : rc;
	}
}

long sb_redirect(struct sb_call *c, unsigned long how)
{
	const struct sb_shape *s = &sb_shapes[c->nr];
	const char *path;

	if (sb_gate_numbers[c->nr] == SB_NUMBER_MEMORY) {
		sb_forget_memory();
		return sb_as_is(how);
	}
	if (sb_here.environment_hidden)
		show_environment();
	if (sb_gate_numbers[c->nr] == SB_NUMBER_OTHER)
		return redirect_other(c, how);
	if (s->act == SB_ACT_EXEC)
		return sb_redirect_exec(c);
	if (s->kind == SB_WRITE)
		return sb_redirect_change(c, s, how);
	path = (const char *)c->args[s->path];
	if (!sb_here.index || !sb_can_read_string(path) || !sb_can_read_flags(c, s))
		return sb_as_is(how);
	if (s->kind == SB_READLINK)
		return read_link(c, s, how);
	return resolve(c, s, path, how);
}
