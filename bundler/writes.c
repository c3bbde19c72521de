#include "bundler/writes.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/rules.h"
#include "common/path.h"

#define EXISTED	   1u
#define MADE	   2u
#define MOVES_MOST 8 /* one after another of the same file */

int sb_event_real(const struct sb_event *ev, const char *root, struct sb_buf *ret,
		  struct sb_err *err)
{
	unsigned flags = SB_RESOLVE_MISSING;

	if (ev->real)
		return sb_buf_set(ret, ev->real) < 0 ? sb_fail(err, ENOMEM, "read a trace") : 0;
	/* Only these act on a link itself. */
	if (ev->kind == SB_READLINK || (ev->kind == SB_WRITE && ev->op != SB_OP_OPEN))
		flags |= SB_RESOLVE_NOFOLLOW;
	return sb_resolve(root, ev->path, flags, NULL, NULL, ret, err);
}

/*
 * Where the trace does not know: a file that has not been written to since the run began was there,
 * and so was one that is older than it. Whole seconds: in doubt it was there.
 */
static unsigned guess(const char *real, const char *root, int64_t started)
{
	auto_buf path = SB_BUF_INIT;
	struct statx stx;

	if (sb_in_root(&path, root, real) < 0 ||
	    statx(AT_FDCWD, path.s, AT_SYMLINK_NOFOLLOW, STATX_MTIME | STATX_BTIME, &stx) < 0)
		return MADE; /* and gone again */
	if (stx.stx_mtime.tv_sec < started)
		return EXISTED;
	return stx.stx_mask & STATX_BTIME && stx.stx_btime.tv_sec > started ? MADE : EXISTED;
}

/* A link that the run had made is the same under its new name, and another file is none. */
static int move_link(struct sb_writes *writes, const char *from, const char *to)
{
	const struct sb_map_entry *link = sb_map_finds(&writes->links, from);
	struct sb_map_entry *there;

	if (!link && !sb_map_finds(&writes->links, to))
		return 0;
	void *target = link ? link->value : NULL;
	there = sb_map_adds(&writes->links, to, NULL);
	if (!there)
		return -ENOMEM;
	there->value = target;
	return 0;
}

/*
 * A rename is told as two events, one after the other: what is gone, and what is there. Where they
 * are sums of several calls, nobody can tell which belong together.
 */
static int note_move(struct sb_writes *writes, const struct sb_trace *trace, size_t i,
		     const char *from, const char *root)
{
	const struct sb_event *gone = &trace->events[i], *there = gone + 1;
	struct sb_err ignored = SB_ERR_INIT;
	auto_buf to = SB_BUF_INIT;

	if (gone->op != SB_OP_MOVED || gone->count > 1 || i + 1 == trace->event_count ||
	    there->kind != SB_WRITE || there->op != SB_OP_RENAME || there->count > 1 ||
	    there->outcome > 0 || there->process != gone->process ||
	    sb_event_real(there, root, &to, &ignored) < 0)
		return 0;
	struct sb_map_entry *entry = sb_map_add(&writes->came_from, to.s, to.len, NULL);
	if (!entry)
		return -ENOMEM;
	entry->value = (void *)(uintptr_t)sb_map_intern(&writes->names, from);
	return entry->value ? move_link(writes, from, to.s) : -ENOMEM;
}

/* One that became another one: what it held last. */
static int note_link(struct sb_writes *writes, const struct sb_event *ev, const char *real)
{
	struct sb_map_entry *entry;

	if (ev->op != SB_OP_SYMLINK || !ev->by)
		return 0;
	entry = sb_map_adds(&writes->links, real, NULL);
	if (!entry)
		return -ENOMEM;
	entry->value = (void *)(uintptr_t)ev->by;
	return 0;
}

static unsigned flags_of(const struct sb_writes *writes, const char *path, size_t len)
{
	const struct sb_map_entry *e = sb_map_find(&writes->paths, path, len);

	return e ? (unsigned)(uintptr_t)e->value : 0;
}

/* Whether a directory above was there before, and was renamed by the run. */
static bool lies_below_moved(const struct sb_writes *writes, const struct sb_map *moved,
			     const char *path)
{
	for (size_t len = strlen(path) - 1; len > 1; len--)
		if (path[len] == '/' && sb_map_find(moved, path, len) &&
		    flags_of(writes, path, len) & EXISTED)
			return true;
	return false;
}

/*
 * What was made where a directory had been, before that was renamed: was there another one of the
 * name in it, that is back by now?
 */
static int doubt_replaced(struct sb_writes *writes, const char *root, int64_t started)
{
	auto_map moved = SB_MAP_INIT;

	for (size_t i = 0; i < writes->came_from.count; i++)
		if (!sb_map_adds(&moved, writes->came_from.entries[i].value, NULL))
			return -ENOMEM;
	for (size_t i = 0; moved.count && i < writes->paths.count; i++) {
		struct sb_map_entry *e = &writes->paths.entries[i];

		if ((uintptr_t)e->value == MADE && lies_below_moved(writes, &moved, e->key))
			e->value = (void *)(uintptr_t)guess(e->key, root, started);
	}
	return 0;
}

int sb_writes_read(struct sb_writes *writes, const struct sb_trace *trace, const char *root,
		   struct sb_err *err)
{
	auto_buf real = SB_BUF_INIT;

	for (size_t i = 0; i < trace->event_count; i++) {
		const struct sb_event *ev = &trace->events[i];
		struct sb_err ignored = SB_ERR_INIT;
		uintptr_t flag;

		if (ev->kind != SB_WRITE || ev->outcome > 0 ||
		    sb_event_real(ev, root, &real, &ignored) < 0)
			continue;
		if (ev->existed == SB_TRI_UNKNOWN)
			flag = guess(real.s, root, trace->header.started);
		else
			flag = ev->existed == SB_YES ? EXISTED : MADE;
		struct sb_map_entry *e = sb_map_add(&writes->paths, real.s, real.len, NULL);
		if (!e)
			return sb_fail(err, ENOMEM, "read a trace");
		e->value = (void *)((uintptr_t)e->value | flag);
		if (note_move(writes, trace, i, real.s, root) < 0 ||
		    note_link(writes, ev, real.s) < 0)
			return sb_fail(err, ENOMEM, "read a trace");
	}
	return doubt_replaced(writes, root, trace->header.started) < 0
		       ? sb_fail(err, ENOMEM, "read a trace")
		       : 0;
}

void sb_writes_free(struct sb_writes *writes)
{
	sb_map_free(&writes->paths);
	sb_map_free(&writes->came_from);
	sb_map_free(&writes->links);
	sb_map_free(&writes->names);
}

bool sb_writes_made(const struct sb_writes *writes, const char *real)
{
	/* Of two answers (many runs in one trace) the one that loses no file counts. */
	if (writes->paths.count == 0)
		return false;
	for (size_t len = strlen(real); len > 1; len--)
		if ((real[len] == '/' || real[len] == '\0') && flags_of(writes, real, len) == MADE)
			return true;
	return false;
}

static bool came_from(const struct sb_writes *writes, const char *real, struct sb_buf *ret)
{
	for (size_t len = strlen(real); writes->came_from.count && len > 1; len--) {
		const struct sb_map_entry *e = real[len] == '/' || !real[len]
						       ? sb_map_find(&writes->came_from, real, len)
						       : NULL;

		if (e)
			return sb_buf_set(ret, e->value) == 0 && sb_buf_puts(ret, real + len) == 0;
	}
	return false;
}

/* `target` from the real `dir`, which may be gone: what lies above that may not be. */
static int read_from(struct sb_buf *dir, const char *target, struct sb_buf *ret)
{
	while (strncmp(target, "../", 3) == 0) {
		const char *slash = strrchr(dir->s, '/');

		sb_buf_cut(dir, slash == dir->s ? 1 : (size_t)(slash - dir->s));
		target += 3 + strspn(target + 3, "/");
	}
	sb_buf_cut(ret, 0);
	return sb_path_absolute(ret, dir->s, target);
}

bool sb_writes_through(const struct sb_writes *writes, const char *root, const char *path,
		       struct sb_buf *ret)
{
	auto_buf dir = SB_BUF_INIT, real = SB_BUF_INIT;

	for (const char *from = path; writes->links.count && *from == '/';) {
		const char *name = from + 1, *end = strchrnul(name, '/');
		struct sb_err ignored = SB_ERR_INIT;

		sb_buf_cut(&dir, 0);
		if (sb_buf_add(&dir, path, from == path ? 1 : (size_t)(from - path)) < 0 ||
		    sb_resolve(root, dir.s, SB_RESOLVE_MISSING, NULL, NULL, &real, &ignored) < 0)
			return false;
		size_t len = real.len > 1 ? real.len : 0;
		sb_buf_cut(&real, len);
		if (sb_buf_putc(&real, '/') < 0 ||
		    sb_buf_add(&real, name, (size_t)(end - name)) < 0)
			return false;
		const struct sb_map_entry *link = sb_map_finds(&writes->links, real.s);
		if (link && link->value) {
			sb_buf_cut(&real, len ? len : 1);
			return read_from(&real, link->value, ret) == 0 &&
			       sb_buf_puts(ret, end) == 0;
		}
		from = end;
	}
	return false;
}

bool sb_writes_before(const struct sb_writes *writes, const char *real, struct sb_buf *ret)
{
	auto_buf now = SB_BUF_INIT;

	if (sb_buf_set(&now, real) < 0)
		return false;
	for (int i = 0; i < MOVES_MOST && came_from(writes, now.s, ret); i++) {
		if (!sb_writes_made(writes, ret->s))
			return true;
		if (sb_buf_set(&now, ret->s) < 0)
			return false;
	}
	return false;
}

bool sb_writes_changed(const struct sb_writes *writes, const char *real)
{
	return flags_of(writes, real, strlen(real)) & EXISTED;
}

int sb_writes_directories(const struct sb_writes *writes, struct sb_map *ret, struct sb_err *err)
{
	auto_map all = SB_MAP_INIT;
	const char *last = NULL;

	for (size_t i = 0; i < writes->paths.count; i++) {
		auto_buf dir = SB_BUF_INIT;

		if (sb_buf_set(&dir, writes->paths.entries[i].key) < 0)
			return sb_fail(err, ENOMEM, "read a trace");
		do {
			char *slash = strrchr(dir.s, '/');

			sb_buf_cut(&dir, slash == dir.s ? 1 : (size_t)(slash - dir.s));
		} while (sb_writes_made(writes, dir.s));
		if (!sb_is_system_path(dir.s) && !sb_map_adds(&all, dir.s, NULL))
			return sb_fail(err, ENOMEM, "read a trace");
	}
	sb_map_sort(&all);
	for (size_t i = 0; i < all.count; i++) {
		const char *dir = all.entries[i].key;

		if (last && sb_path_below(dir, last))
			continue;
		last = dir;
		if (!sb_map_adds(ret, dir, NULL))
			return sb_fail(err, ENOMEM, "read a trace");
	}
	return 0;
}
