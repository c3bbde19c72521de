/* Where a process stands: its working directory and its root, which decide what names mean. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/recorder.h"
#include "preload/start.h"
#include "preload/str.h"
#include "preload/write.h"

#define FD_DIR "/proc/self/fd"

static bool failed(long raw)
{
	return (unsigned long)raw > -4096UL;
}

void sb_cwd(struct sb_recorder *st, char *buf, size_t size)
{
	long n = sb_load(&st->sandboxed) ? -EPERM
					 : sb_raw(SYS_getcwd, (long)buf, (long)size, 0, 0, 0, 0);

	if (failed(n))
		buf[0] = 0;
	/* No name is left of it, which would stand for what is opened from there. */
	sb_store(&st->too_deep, n == -ENAMETOOLONG);
}

static const char *root_of(const struct sb_recorder *st)
{
	return st->root ? st->root : "";
}

static void write_where(struct sb_recorder *st, uint32_t where, const char *cwd)
{
	struct sb_rec head = {.kind = SB_REC_WHERE, .where = where};

	(void)sb_write(
		&head,
		(struct sb_text[]){{cwd, sb_strlen(cwd)}, {root_of(st), sb_strlen(root_of(st))}}, 2,
		NULL, 0, NULL);
}

void sb_write_where(struct sb_recorder *st, uint32_t where)
{
	char cwd[PATH_MAX];

	sb_cwd(st, cwd, sizeof(cwd));
	write_where(st, where, cwd);
}

bool sb_name_dir(int dirfd, char *buf, size_t size, size_t *ret_len)
{
	char link[32];
	size_t at = 0;
	long n;

	(void)sb_puts(link, sizeof(link), &at, FD_DIR "/");
	(void)sb_put_number(link, sizeof(link), &at, (uint64_t)dirfd, 10);
	n = sb_raw(SYS_readlinkat, AT_FDCWD, (long)link, (long)buf, (long)size, 0, 0);
	if (failed(n) || (size_t)n == size || buf[0] != '/')
		return false;
	*ret_len = (size_t)n;
	return true;
}

bool sb_name_cwd(char *buf, size_t size, size_t *ret_len)
{
	long n = sb_raw(SYS_getcwd, (long)buf, (long)size, 0, 0, 0, 0);

	if (failed(n) || buf[0] != '/')
		return false;
	*ret_len = (size_t)n - 1;
	return true;
}

bool sb_strayed(const struct sb_recorder *st)
{
	return sb_load(&st->wanders) || sb_load(&st->too_deep) ||
	       (sb_load(&st->strayed) && sb_raw(SYS_getpid, 0, 0, 0, 0, 0, 0) != st->pid);
}

bool sb_record_strays(void)
{
	return sb_recorder_on() && !sb_recorder_sandboxed() && sb_strayed(sb_self());
}

/*
 * Whether the image in whose memory we run is where we are: the image itself, a thread of it, or a
 * child that shares more than memory with it. Chromium has one of these change its root for it.
 */
static bool moves_along(const struct sb_recorder *st)
{
	long pid = sb_raw(SYS_getpid, 0, 0, 0, 0, 0, 0);

	return pid == st->pid || !sb_raw(SYS_kcmp, pid, st->pid, KCMP_FS, 0, 0, 0);
}

void sb_record_moved(void)
{
	struct sb_recorder *st = sb_self();
	uint32_t where;

	if (!sb_recorder_on())
		return;
	sb_fork_check(st);
	if (st->guarded)
		(void)sb_add(&st->log->moves, 1);
	where = sb_add(&st->where_next, 1) + 1;
	if (!sb_load(&st->sandboxed)) {
		if (!moves_along(st)) {
			sb_store(&st->strayed, 1);
			return;
		}
		sb_write_where(st, where);
	} else if (!st->guarded) {
		/* It, or a child in its memory: who may not ask does not know. */
		write_where(st, where, SB_NOWHERE);
	}
	sb_store(&st->where, where);
}

void sb_record_follow(void)
{
	struct sb_recorder *st = sb_self();
	uint64_t strays;

	if (!sb_recorder_on() || !st->guarded)
		return;
	strays = sb_load(&st->log->strays);
	if (strays == sb_load(&st->strays))
		return;
	sb_store(&st->strays, strays);
	sb_record_moved();
}

void sb_record_wanders(bool begins)
{
	struct sb_recorder *st = sb_self();

	if (begins) {
		(void)sb_add(&st->wanders, 1);
	} else {
		(void)sb_sub(&st->wanders, 1);
		/* Back where it was, mostly; who may not ask believes that. */
		if (!sb_load(&st->sandboxed))
			sb_record_moved();
	}
}

/* Without a descriptor to ask: what the path says, links and ".." as they stand in it. */
static bool say_root(struct sb_recorder *st, const char *path, char *buf, size_t size)
{
	size_t at = 0, len = 0;
	bool whole = sb_puts(buf, size, &at, root_of(st));

	if (path[0] != '/') {
		whole = whole && sb_name_cwd(buf + at, size - at, &len);
		at += len;
	}
	if (!sb_streq(path, "."))
		whole = whole && (path[0] == '/' || sb_puts(buf, size, &at, "/")) &&
			sb_puts(buf, size, &at, path);
	while (whole && at && buf[at - 1] == '/')
		buf[--at] = 0;
	return whole;
}

/* Appends what `path` names, as the present root calls it, to the name of the present root. */
static bool name_root(struct sb_recorder *st, const char *path, char *buf, size_t size)
{
	long fd = sb_raw(SYS_openat, AT_FDCWD, (long)path, O_PATH | O_CLOEXEC, 0, 0, 0);
	size_t len = 0, at = 0;
	bool named;

	if (fd == -EMFILE || fd == -ENFILE)
		return say_root(st, path, buf, size);
	if (failed(fd))
		return false;
	(void)sb_puts(buf, size, &at, root_of(st));
	named = sb_name_dir((int)fd, buf + at, size - at, &len);
	(void)sb_raw(SYS_close, fd, 0, 0, 0, 0, 0);
	buf[named ? at + len : 0] = 0;
	if (sb_streq(buf, "/"))
		buf[0] = 0;
	return named;
}

/* Its memory is there for as long as the process. False: there is none. */
static bool keep_root(struct sb_recorder *st, const char *root)
{
	long p = st->root ? (long)st->root
			  : sb_raw(SYS_mmap, 0, PATH_MAX, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t at = 0;

	if (failed(p))
		return false;
	(void)sb_puts((char *)p, PATH_MAX, &at, root);
	st->root = (char *)p;
	return true;
}

long sb_record_chroot(const char *path)
{
	struct sb_recorder *st = sb_self();
	bool ask = sb_recorder_on() && !sb_recorder_sandboxed();
	char root[PATH_MAX];
	bool named;
	long raw;

	if (ask)
		sb_fork_check(st);
	named = ask && name_root(st, path, root, sizeof(root));
	raw = sb_raw(SYS_chroot, (long)path, 0, 0, 0, 0, 0);
	if (!raw && named && moves_along(st) && keep_root(st, root)) {
		sb_record_moved();
		/* Names below a descriptor cannot be made out here: that is left to the guard. */
		if (st->guarded &&
		    failed(sb_raw(SYS_faccessat, AT_FDCWD, (long)FD_DIR, 0, 0, 0, 0)))
			sb_store(&st->bypass, 0);
	}
	return raw;
}
