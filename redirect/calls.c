/*
 * What becomes of a call that names a path: the payload's file where the payload has one, this
 * machine's where it has not and may be seen. Calls that change something by name are the kernel's:
 * a payload is never written to.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>
#include <linux/openat2.h>

#include "preload/arch.h"
#include "preload/str.h"
#include "redirect/redirect.h"
#include "tracer/syscalls.h"

/* Rows of the table that every tracer uses, by their number here. */
#define N		   (-1)
#define ROW(nr)		   [(nr) < 0 ? SB_GATE_NUMBERS - 1 : (nr)]
#define CHANGES(act, kind) ((kind) == SB_WRITE && (act) == SB_ACT_ACCESS)
#define IS_OURS(act, kind)                                                               \
	((kind) != SB_WRITE &&                                                           \
	 ((act) == SB_ACT_ACCESS || (act) == SB_ACT_ATTRIBUTE || (act) == SB_ACT_OPEN || \
	  (act) == SB_ACT_OPENAT2 || (act) == SB_ACT_EXEC || (act) == SB_ACT_CHDIR))
#if defined(__x86_64__)
#define HERE(x86_64, aarch64) x86_64
#else
#define HERE(x86_64, aarch64) aarch64
#endif

/* Several names have no number here, and share a row that nobody asks for. */
#pragma GCC diagnostic ignored "-Woverride-init"

struct shape {
	uint8_t act, kind;
	int8_t dirfd, path, flags;
	uint8_t nofollow;
	int8_t dirfd2, path2;
};

static const struct shape shapes[SB_GATE_NUMBERS] = {
#define CALL(name, x86_64, i386, x32, aarch64, act, kind, op, dirfd, path, flags, nofollow) \
	ROW(HERE(x86_64, aarch64))                                                          \
	= {SB_ACT_##act, SB_##kind, dirfd, path, flags, SB_##nofollow, N, N},
#define TWO(name, x86_64, i386, x32, aarch64, op, dirfd, path, dirfd2, path2, flags) \
	ROW(HERE(x86_64, aarch64))                                                   \
	= {SB_ACT_TWO, SB_WRITE, dirfd, path, flags, SB_NOFOLLOW, dirfd2, path2},
#include "tracer/syscalls.def"
#undef CALL
#undef TWO
};

/* For the gate: which numbers are worth our while. */
extern const uint8_t sb_gate_numbers[SB_GATE_NUMBERS];
const uint8_t sb_gate_numbers[SB_GATE_NUMBERS] = {
#define CALL(name, x86_64, i386, x32, aarch64, act, kind, op, dirfd, path, flags, nofollow) \
	ROW(HERE(x86_64, aarch64))                                                          \
	= HERE(x86_64, aarch64) >= 0 &&                                                     \
	  (IS_OURS(SB_ACT_##act, SB_##kind) || CHANGES(SB_ACT_##act, SB_##kind)),
#define TWO(name, x86_64, i386, x32, aarch64, op, dirfd, path, dirfd2, path2, flags) \
	ROW(HERE(x86_64, aarch64))                                                   \
	= HERE(x86_64, aarch64) >= 0,
#include "tracer/syscalls.def"
#undef CALL
#undef TWO
	[__NR_getcwd] = 1,
	[__NR_fchdir] = 1,
	[__NR_getdents64] = 1,
};

static long make(const struct sb_call *c)
{
	return sb_arch_syscall(c->nr, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4],
			       c->args[5]);
}

/* Nothing of ours: by whoever asks, where that can be. */
static long as_is(const struct sb_call *c, unsigned long how)
{
	return how & SB_ASKS ? (long)SB_GATE_PASS : make(c);
}

/* The same with another path, which is absolute. */
static long make_with(const struct sb_call *c, const struct shape *s, const char *path)
{
	struct sb_call other = *c;

	if (!path)
		return -ENAMETOOLONG;
	other.args[s->path] = (long)path;
	return make(&other);
}

/* The same with those of its paths that lie in the layer led there. */
__attribute__((noinline)) static long make_in_layer(const struct sb_call *c, const struct shape *s)
{
	const int8_t which[] = {s->path, s->path2};
	char room[2][SB_PATH_MAX];
	struct sb_call other = *c;

	for (int i = 0; i < 2; i++) {
		const char *path = which[i] < 0 ? NULL : (const char *)c->args[which[i]];

		if (sb_is_bad(path) || path[0] != '/' || !sb_is_layered(path))
			continue;
		path = sb_layer_path(path, room[i], SB_PATH_MAX);
		if (!path)
			return -ENAMETOOLONG;
		other.args[which[i]] = (long)path;
	}
	return make(&other);
}

static unsigned long flags_of(const struct sb_call *c, const struct shape *s)
{
	if (c->nr == __NR_creat)
		return O_CREAT | O_WRONLY | O_TRUNC;
	if (s->flags < 0)
		return 0;
	if (s->act == SB_ACT_OPENAT2)
		return ((const struct open_how *)c->args[s->flags])->flags;
	return (unsigned long)c->args[s->flags];
}

static bool follows(const struct shape *s, unsigned long flags)
{
	switch (s->nofollow) {
	case SB_NOFOLLOW:
		return false;
	case SB_NOFOLLOW_FLAG:
		return !(flags & AT_SYMLINK_NOFOLLOW);
	case SB_NOFOLLOW_UNLESS:
		return flags & AT_SYMLINK_FOLLOW;
	case SB_NOFOLLOW_INOTIFY:
		return !(flags & IN_DONT_FOLLOW);
	default:
		return s->kind != SB_OPEN || !(flags & O_NOFOLLOW);
	}
}

static bool writes(unsigned long flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC) ||
	       (flags & O_TMPFILE) == O_TMPFILE;
}

/* A file that is there to be read, and will not be written. */
static long open_to_write(const struct sb_call *c, const struct sb_place *place)
{
	long rc = make(c);

	/* As on a file system that is mounted read-only: programs that can do with less know that
	 * one. */
	return rc == -ENOENT && place->entry ? -EROFS : rc;
}

/* Both may have it: this machine's comes first, as it does below /etc and /var. */
static long merged(const struct sb_call *c, const struct shape *s, struct sb_place *place)
{
	long rc = make(c);

	return rc == -ENOENT ? make_with(c, s, sb_place_in_payload(place)) : rc;
}

/* The program's own file, under the name that always means it. */
bool sb_is_self(const char *path)
{
	return sb_streq(path, "/proc/self/exe") || sb_streq(path, "/proc/thread-self/exe");
}

/* What the dynamic linker would take libraries from, were it this machine's own. */
static bool is_linkers(const char *path)
{
	return sb_starts(path, "/etc/ld");
}

static long redirect_found(const struct sb_call *c, const struct shape *s, struct sb_place *place,
			   unsigned long flags, unsigned long how)
{
	const struct sb_index_entry *e = place->entry;

	if (sb_here.layer && sb_is_layered(place->path))
		return make_with(c, s, sb_place_in_layer(place));
	if (s->kind == SB_OPEN && writes(flags))
		return open_to_write(c, place);
	if (e->type == SB_INDEX_DIR && (s->kind == SB_OPEN || s->act == SB_ACT_CHDIR)) {
		sb_here.inside = true;
		sb_here.entered |= s->act == SB_ACT_CHDIR;
	}
	if (e->type == SB_INDEX_DIR && !(e->flags & SB_INDEX_OPAQUE))
		return merged(c, s, place);
	if (how & SB_LINKER && s->kind == SB_OPEN && e->flags & SB_INDEX_LIBRARY)
		return make_with(c, s, sb_place_in_root(place));
	return make_with(c, s, sb_place_in_payload(place));
}

static long redirect_absent(const struct sb_call *c, const struct shape *s,
			    const struct sb_place *place, const char *path, unsigned long flags,
			    unsigned long how)
{
	bool opens = s->kind == SB_OPEN || s->act == SB_ACT_CHDIR;

	if ((opens || how & SB_LINKER) && place->opaque && !(s->kind == SB_OPEN && writes(flags)))
		return -ENOENT;
	if (how & SB_LINKER && is_linkers(path))
		return -ENOENT;
	return place->path ? make_with(c, s, place->path) : as_is(c, how);
}

/* Where the room is not the largest and does not do, place->full, and nothing was done. */
static long redirect_in(const struct sb_call *c, const struct shape *s, const char *path,
			unsigned long how, struct sb_place *place)
{
	unsigned long flags = flags_of(c, s);

	if (how & SB_LINKER && s->kind == SB_OPEN) {
		const char *first = sb_library_first(path, place);

		if (first)
			return make_with(c, s, first);
	}
	if (!sb_look(path, follows(s, flags), place))
		return place->full && place->size ? 0 : as_is(c, how);
	if (place->through)
		return -ENOTDIR;
	if (place->entry)
		return redirect_found(c, s, place, flags, how);
	return redirect_absent(c, s, place, path, flags, how);
}

__attribute__((noinline)) static long redirect_large(const struct sb_call *c, const struct shape *s,
						     const char *path, unsigned long how)
{
	struct sb_place place;

	place.size = 0;
	return redirect_in(c, s, path, how, &place);
}

/* A signal handler's stack may be small: mostly a small room will do. */
#define SMALL_ROOM     512
#define SB_SMALL_FRONT 256

__attribute__((noinline)) static long redirect(const struct sb_call *c, const struct shape *s,
					       const char *path, unsigned long how)
{
	char room[offsetof(struct sb_place, room) + SB_SMALL_FRONT + SMALL_ROOM]
		__attribute__((aligned(sizeof(void *))));
	struct sb_place *place = (struct sb_place *)room;
	long rc;

	__asm__("" : "+r"(place)); /* its room ends early: place->size tells */

	if (path[1] == 'p' && follows(s, flags_of(c, s)) && sb_is_self(path))
		return make_with(c, s, sb_here.real_program);
	if (sb_here.layer && sb_is_layered(path))
		return make_in_layer(c, s);
	/* musl is its own linker: what it asks is mostly the program's. */
	if ((how & SB_LINKER && sb_here.base[sb_here.index->library_path]) ||
	    sb_here.front > SB_SMALL_FRONT)
		return redirect_large(c, s, path, how);
	place->size = sb_here.front + SMALL_ROOM;
	rc = redirect_in(c, s, path, how, place);
	return place->full ? redirect_large(c, s, path, how) : rc;
}

static long dirfd_of(const struct sb_call *c, const struct shape *s)
{
	return s->dirfd < 0 ? AT_FDCWD : (int)c->args[s->dirfd];
}

/*
 * A name that begins at a directory which is not the payload's, and which this machine does not
 * have there: the payload may, where both have that directory.
 */
__attribute__((noinline)) static long redirect_relative(const struct sb_call *c,
							const struct shape *s, const char *path,
							unsigned long how)
{
	char whole[SB_PATH_MAX];

	path = sb_from_root(dirfd_of(c, s), path, false, whole, sizeof(whole));
	return path ? redirect(c, s, path, how) : -ENOENT;
}

/* The payload is not written to; a link of its may lead out of it. */
__attribute__((noinline)) static long write_inside(const struct sb_call *c, const struct shape *s,
						   const char *path, unsigned long flags)
{
	struct sb_place place;

	place.size = 0;
	if (!sb_look(path, follows(s, flags), &place))
		return make(c);
	if (place.through)
		return -ENOTDIR;
	if (!place.entry && place.path)
		return make_with(c, s, place.path);
	return place.entry || flags & O_CREAT ? -EROFS : -ENOENT;
}

static bool may_lead_out(const char *path, const struct shape *s, unsigned long flags)
{
	return follows(s, flags) || sb_strchr(path, '/');
}

/* One that begins at a directory of the payload; SB_GATE_PASS: it does not. */
__attribute__((noinline)) static long
redirect_inside(const struct sb_call *c, const struct shape *s, const char *path, unsigned long how)
{
	unsigned long flags = flags_of(c, s);
	bool changes = s->kind == SB_OPEN && writes(flags);
	char whole[SB_PATH_MAX];

	if (!changes && !may_lead_out(path, s, flags))
		return (long)SB_GATE_PASS;
	path = sb_from_root(dirfd_of(c, s), path, true, whole, sizeof(whole));
	if (!path)
		return (long)SB_GATE_PASS;
	return changes ? write_inside(c, s, path, flags) : redirect(c, s, path, how);
}

/*
 * Whoever asks makes the call, but where it would find nothing: it may be one that waits, as an
 * open of a fifo does, and is to be cancelled.
 */
static long redirect_asked(const struct sb_call *c, const struct shape *s, const char *path,
			   unsigned long how)
{
	if (!path[0] ||
	    sb_arch_syscall(__NR_faccessat, dirfd_of(c, s), (long)path, 0, 0, 0, 0) != -ENOENT)
		return as_is(c, how);
	long rc = redirect_relative(c, s, path, how);
	return rc == -ENOENT ? as_is(c, how) : rc;
}

static long resolve(const struct sb_call *c, const struct shape *s, const char *path,
		    unsigned long how)
{
	long rc = (long)SB_GATE_PASS;

	if (path[0] == '/')
		return redirect(c, s, path, how);
	if (path[0] && sb_may_be_inside(dirfd_of(c, s)))
		rc = redirect_inside(c, s, path, how);
	if (rc != (long)SB_GATE_PASS)
		return rc;
	if (how & SB_ASKS)
		return redirect_asked(c, s, path, how);
	rc = make(c);
	return rc == -ENOENT && path[0] ? redirect_relative(c, s, path, how) : rc;
}

/* As a file system that is mounted read-only does: mkdir -p counts on it. */
static long refuse(const struct sb_call *c, const struct shape *s)
{
	bool makes = c->nr == __NR_mkdirat;
	char none[1];

#ifdef __NR_mkdir
	makes |= c->nr == __NR_mkdir;
#endif
	return makes && sb_arch_syscall(__NR_readlinkat, dirfd_of(c, s), c->args[s->path],
					(long)none, sizeof(none), 0, 0) != -ENOENT
		       ? -EEXIST
		       : -EROFS;
}

/* The payload is not written to by a name that begins in it either. */
static long change(const struct sb_call *c, const struct shape *s, unsigned long how)
{
	if (sb_here.inside &&
	    (sb_is_inside(dirfd_of(c, s), (const char *)c->args[s->path]) ||
	     (s->path2 >= 0 && sb_is_inside(s->dirfd2 < 0 ? AT_FDCWD : c->args[s->dirfd2],
					    (const char *)c->args[s->path2]))))
		return refuse(c, s);
	return sb_here.layer ? make_in_layer(c, s) : as_is(c, how);
}

/* A real name of ours, whose buffer has room for one byte more, becomes the one the program knows.
 */
static long rename_back(char *buf, long len)
{
	char behind = buf[len];
	const char *known;

	buf[len] = 0;
	known = sb_strip(buf);
	if (known) {
		long n = (long)sb_strlen(known);

		for (long i = 0; i < n; i++)
			buf[i] = known[i];
		buf[len] = behind;
		return n;
	}
	buf[len] = behind;
	return len;
}

/*
 * Links of /proc hold real names. They are read elsewhere: of the caller's buffer nothing is
 * touched behind what the program is told, which many take for its end.
 */
__attribute__((noinline)) static long read_proc_link(const struct sb_call *c, const struct shape *s,
						     bool self)
{
	size_t size = (size_t)c->args[s->path + 2], n;
	const char *known = self ? sb_here.program : NULL;
	char name[SB_PATH_MAX];
	struct sb_call other = *c;
	long rc;

	other.args[s->path + 1] = (long)name;
	other.args[s->path + 2] = sizeof(name) - 1;
	rc = make(&other);
	if (rc <= 0)
		return rc;
	n = known ? sb_strlen(known) : (size_t)rename_back(name, rc);
	n = n < size ? n : size;
	sb_copy((char *)c->args[s->path + 1], known ? known : name, n);
	return (long)n;
}

static long read_link(const struct sb_call *c, const struct shape *s, unsigned long how)
{
	const char *path = (const char *)c->args[s->path];

	if (!sb_starts(path, "/proc/"))
		return resolve(c, s, path, how);
	if (sb_is_bad((const char *)c->args[s->path + 1]) || (int)c->args[s->path + 2] <= 0)
		return make(c);
	return read_proc_link(c, s, sb_is_self(path));
}

static long get_cwd(const struct sb_call *c)
{
	char *buf = (char *)c->args[0];
	long rc = make(c), n;

	if (rc <= 1)
		return rc;
	n = rename_back(buf, rc - 1);
	buf[n] = 0;
	return n + 1;
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

long sb_redirect(struct sb_call *c, unsigned long how)
{
	const struct shape *s = &shapes[c->nr];
	const char *path;

	if (sb_here.environment_hidden)
		show_environment();
	if (c->nr == __NR_getcwd)
		return get_cwd(c);
	if (c->nr == __NR_fchdir) {
		sb_here.entered |= sb_here.inside;
		return as_is(c, how);
	}
	if (c->nr == __NR_getdents64)
		return sb_redirect_list(c);
	if (s->act == SB_ACT_EXEC)
		return sb_redirect_exec(c);
	if (s->kind == SB_WRITE)
		return change(c, s, how);
	path = (const char *)c->args[s->path];
	if (sb_is_bad(path) || !sb_here.index)
		return as_is(c, how);
	if (s->kind == SB_READLINK)
		return read_link(c, s, how);
	return resolve(c, s, path, how);
}
