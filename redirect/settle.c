/*
 * Where a name leads that may have to do with the copies of a replay's directories (layer.c).
 *
 * The kernel would follow a link in a copy out of it, to the directory that was copied and is
 * another, real one on this machine; and it would go there from a directory above. So such names
 * are followed here, by the paths that the program knows: a component of a copy is looked at in the
 * copy, every other one in the payload, and then on this machine.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>

#include "preload/str.h"
#include "redirect/redirect.h"

#define MAX_HOPS 40

struct walk {
	char *done; /* "/a/b", with a NUL; before it is room for what is put there */
	size_t len, size;
	char *rest; /* at the end of `room`, which grows downwards by what links hold */
	unsigned hops;
	bool follow, copied; /* copied: it began in a copy */
	char room[SB_PATH_MAX];
};

/* What it begins with. False: it has nothing to do with copies, or cannot be told. */
static bool begin(struct walk *w, long dirfd, const char *path)
{
	size_t at = 0;
	const char *known;

	if (path[0] == '/') {
		w->copied = sb_is_layered(path);
	} else {
		at = sb_name_of(dirfd, w->room, sizeof(w->room));
		known = at ? sb_strip(w->room) : NULL;
		w->copied = known && sb_is_layered(known);
		if (!at)
			return false;
		if (known) {
			at -= (size_t)(known - w->room);
			for (size_t i = 0; i < at; i++)
				w->room[i] = known[i];
		}
		if (!sb_puts(w->room, sizeof(w->room), &at, "/"))
			return false;
	}
	if (!sb_puts(w->room, sizeof(w->room), &at, path))
		return false;
	w->rest = w->room + sizeof(w->room) - 1 - at;
	for (size_t i = at + 1; i-- > 0;)
		w->rest[i] = w->room[i];
	return true;
}

/* A directory on the way to a copy is what it was recorded as: no link. */
bool sb_is_above_copies(const char *path)
{
	for (size_t i = 0; i < sb_here.dir_count; i++)
		if (sb_below(sb_here.dirs[i], path))
			return true;
	return false;
}

static void up(struct walk *w)
{
	while (w->len && w->done[--w->len] != '/')
		;
	w->done[w->len] = 0;
}

static const char *behind(const struct walk *w, const char *prefix, size_t len)
{
	sb_copy(w->done - len, prefix, len);
	return w->done - len;
}

/* As readlink(2), of what is done. */
static long read_done(struct walk *w)
{
	size_t room = (size_t)(w->rest - w->room);
	bool copied = sb_is_layered(w->done);
	const char *real = copied ? behind(w, sb_here.layer, sb_here.layer_len)
				  : behind(w, sb_here.payload, sb_here.payload_len);
	long n = sb_arch_syscall(__NR_readlinkat, AT_FDCWD, (long)real, (long)w->room, (long)room,
				 0, 0);

	if (n == -ENOENT && !copied)
		n = sb_arch_syscall(__NR_readlinkat, AT_FDCWD, (long)w->done, (long)w->room,
				    (long)room, 0, 0);
	return n;
}

/* Where the last component that is done is a link: what that holds comes next. False: too long. */
static bool follow(struct walk *w)
{
	/* No room at all is EINVAL, as is what is no link: a link has a name, which took some. */
	long n = sb_is_above_copies(w->done) ? 0 : read_done(w);

	if (n <= 0)
		return true;
	if (w->room + n == w->rest || ++w->hops > MAX_HOPS)
		return false;
	for (size_t i = (size_t)n; i-- > 0;)
		*--w->rest = w->room[i];
	up(w);
	if (*w->rest == '/') {
		w->len = 0;
		w->done[0] = 0;
	}
	return true;
}

enum step { GOES_ON, ENDS, FAILS };

static enum step end_with(struct walk *w, const char *tail)
{
	return sb_puts(w->done, w->size, &w->len, tail) ? ENDS : FAILS;
}

static enum step step(struct walk *w)
{
	bool slash = *w->rest == '/';
	size_t n = 0;

	while (*w->rest == '/')
		w->rest++;
	while (w->rest[n] && w->rest[n] != '/')
		n++;
	if (!n)
		return end_with(w, slash || !w->len ? "/" : "");
	if (n == 1 && w->rest[0] == '.') {
		w->rest++;
		return *w->rest ? GOES_ON : end_with(w, "/.");
	}
	if (n == 2 && w->rest[0] == '.' && w->rest[1] == '.') {
		up(w);
		w->rest += n;
		return GOES_ON;
	}
	if (!sb_puts(w->done, w->size, &w->len, "/") ||
	    !sb_put(w->done, w->size, &w->len, w->rest, n))
		return FAILS;
	w->rest += n;
	/* What lies there is the kernel's to find. */
	if (sb_below(w->done, "/proc"))
		return end_with(w, w->rest);
	if (!*w->rest && !w->follow)
		return ENDS;
	return follow(w) ? GOES_ON : FAILS;
}

const char *sb_settle(long dirfd, const char *path, bool follow_last, char *buf, bool *ret_copy)
{
	struct walk w;
	enum step now = GOES_ON;

	if (!begin(&w, dirfd, path))
		return NULL;
	w.done = buf + sb_here.front;
	w.len = w.hops = 0;
	w.follow = follow_last;
	w.size = SB_PATH_MAX - sb_here.front;
	w.done[0] = 0;
	while (now == GOES_ON)
		now = step(&w);
	if (now == FAILS)
		return NULL;
	*ret_copy = sb_is_layered(w.done);
	if (*ret_copy)
		return behind(&w, sb_here.layer, sb_here.layer_len);
	return w.copied ? w.done : NULL;
}
