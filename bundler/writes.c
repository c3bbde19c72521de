#include "bundler/writes.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "bundler/rules.h"
#include "common/path.h"

#define EXISTED 1u
#define MADE	2u

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
	}
	return 0;
}

void sb_writes_free(struct sb_writes *writes)
{
	sb_map_free(&writes->paths);
}

static unsigned flags_of(const struct sb_writes *writes, const char *path, size_t len)
{
	const struct sb_map_entry *e = sb_map_find(&writes->paths, path, len);

	return e ? (unsigned)(uintptr_t)e->value : 0;
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
