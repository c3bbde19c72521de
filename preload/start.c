#include "preload/start.h"

#include <fcntl.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/chunk.h"
#include "preload/environ.h"
#include "preload/str.h"
#include "preload/write.h"

#define PAGE	  4096
#define ARGV_ROOM 8192

extern char **__environ __attribute__((weak, visibility("default")));

static bool failed(long raw)
{
	return (unsigned long)raw > -4096UL;
}

bool sb_flag(const struct sb_recorder *st, char flag)
{
	return sb_strchr(st->flags, flag) != NULL;
}

const char *sb_flags_with(const struct sb_recorder *st, char flag)
{
	switch (flag) {
	case 's':
		return st->guarded ? "gs" : "s";
	case 'm':
		return st->guarded ? "gm" : "m";
	case 'p':
		return st->guarded ? "gp" : "p";
	case 'x':
		return st->guarded ? "gx" : "x";
	default:
		return st->guarded ? "g" : "";
	}
}

/* What is too long for the state's own room gets memory for itself. NULL: there is none. */
static const char *keep(struct sb_recorder *st, size_t *used, const char *name, size_t len)
{
	char *to = st->names + *used;
	long p;

	if (len < sizeof(st->names) - *used) {
		*used += len + 1;
	} else {
		p = sb_raw(SYS_mmap, 0, (long)len + 1, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (failed(p))
			return NULL;
		to = (char *)p;
	}
	sb_copy(to, name, len);
	to[len] = 0;
	return to;
}

/* The directory of our module in a list like LD_PRELOAD's, where its last element is ours. */
static const char *find_modules(char *const *variable, const char *name, const char *ours,
				size_t *ret_len)
{
	const char *list, *last, *base;

	*ret_len = 0;
	if (!variable)
		return NULL;
	list = last = *variable + sb_strlen(name);
	for (const char *p = list; *p; p++)
		if (*p == ':' || *p == ' ')
			last = p + 1;
	base = sb_basename(last);
	if (!sb_streq(base, ours) || base == last)
		return NULL;
	*ret_len = (size_t)(base - 1 - last);
	return last;
}

static bool parse(struct sb_recorder *st, char *const *envp)
{
	char *const *variable = sb_env_find(envp, SB_ENV_TRACE "=");
	const char *p, *modules;
	size_t used = 0, flags = 0, len;

	if (!variable)
		return false;
	st->token = sb_env_token(*variable, &p);
	if (*p == '.')
		for (p++; *p && *p != ':'; p++)
			(void)sb_put(st->flags, sizeof(st->flags), &flags, p, 1);
	st->sandboxed = sb_flag(st, 's');
	st->guarded = sb_flag(st, 'g');
	modules = find_modules(sb_env_find(envp, "LD_PRELOAD="), "LD_PRELOAD=", SB_PRELOAD_NAME,
			       &len);
	if (!modules)
		modules = find_modules(sb_env_find(envp, "LD_AUDIT="), "LD_AUDIT=", SB_AUDIT_NAME,
				       &len);
	st->modules = keep(st, &used, modules ? modules : "", len);
	st->log_path = *p == ':' ? keep(st, &used, p + 1, sb_strlen(p + 1)) : NULL;
	return st->modules && st->log_path;
}

static bool map_log(struct sb_recorder *st, int fd)
{
	long p = sb_raw(SYS_mmap, 0, SB_LOG_HEADER, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct sb_log_header *log = (struct sb_log_header *)p;

	if (failed(p))
		return false;
	if (log->magic != SB_LOG_MAGIC || log->version != SB_LOG_VERSION ||
	    log->chunk_size != SB_CHUNK || sb_load(&log->closed)) {
		(void)sb_raw(SYS_munmap, p, SB_LOG_HEADER, 0, 0, 0, 0);
		return false;
	}
	st->log = log;
	return true;
}

static bool map_passing(struct sb_recorder *st)
{
	long p = sb_raw(SYS_mmap, 0, sizeof(struct sb_passing), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (failed(p))
		return false;
	st->passing = (struct sb_passing *)p;
	return true;
}

/*
 * A fork child must find out that it is one without a system call per event: by memory that the
 * kernel wipes in it (4.14). Older kernels: getpid, and a page that the child lacks tells it from a
 * vfork child.
 */
static void watch_forks(struct sb_recorder *st)
{
	long p;

	if (!failed(sb_raw(SYS_madvise, (long)st->passing, sizeof(*st->passing), MADV_WIPEONFORK, 0,
			   0, 0))) {
		st->passing->settled = SB_SETTLED;
		st->wiped = 1;
		return;
	}
	p = sb_raw(SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (!failed(p) && !failed(sb_raw(SYS_madvise, p, PAGE, MADV_DONTFORK, 0, 0, 0)))
		st->stays = (void *)p;
}

/* Splits /proc/self/cmdline in `buf`, for who was not told argv. */
static void ask_argv(char *buf, size_t size, char **argv, size_t max)
{
	long fd = sb_raw(SYS_openat, AT_FDCWD, (long)"/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0,
			 0, 0);
	long n = failed(fd) ? 0 : sb_raw(SYS_read, fd, (long)buf, (long)size - 1, 0, 0, 0);
	size_t count = 0;

	if (!failed(fd))
		(void)sb_raw(SYS_close, fd, 0, 0, 0, 0, 0);
	n = failed(n) ? 0 : n;
	buf[n] = 0;
	for (char *p = buf; p < buf + n && count + 1 < max; p += sb_strlen(p) + 1)
		argv[count++] = p;
	argv[count] = NULL;
}

/* Nobody saw the exec: so it is told here. Apart, for its large buffer. */
static __attribute__((noinline)) void hello_naming(struct sb_rec *head, struct sb_text cwd,
						   char *const *argv)
{
	char exe[PATH_MAX];
	long len = sb_raw(SYS_readlinkat, AT_FDCWD, (long)"/proc/self/exe", (long)exe, sizeof(exe),
			  0, 0);

	len = len > 0 && len < (long)sizeof(exe) ? len : 0;
	head->flags |= SB_REC_DIR;
	(void)sb_write(head, (struct sb_text[]){cwd, {exe, (size_t)len}}, 2, argv, ARGV_ROOM, NULL);
}

static void hello(struct sb_recorder *st, char *const *argv)
{
	struct sb_rec head = {.kind = SB_REC_HELLO, .arg = st->token};
	struct sb_text cwd = {st->passing->name, 0};

	head.flags = st->bypass ? SB_REC_BYPASS : 0;
	st->strays = sb_load(&st->log->strays);
	sb_cwd(st, st->passing->name, sizeof(st->passing->name));
	cwd.len = sb_strlen(cwd.s);
	if (!sb_load(&st->sandboxed))
		head.value = (int32_t)sb_raw(SYS_getppid, 0, 0, 0, 0, 0, 0);
	if (sb_flag(st, 'x'))
		hello_naming(&head, cwd, argv);
	else
		(void)sb_write(&head, &cwd, 1, argv, ARGV_ROOM, NULL);
	st->passing->name[0] = 0;
}

static long open_log(struct sb_recorder *st)
{
	/* First of all: from then on our own calls are nobody's business. */
	st->bypass = st->guarded && !st->sandboxed;
	return sb_raw(SYS_openat, AT_FDCWD, (long)st->log_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0,
		      0, 0);
}

static void hello_asking(struct sb_recorder *st)
{
	/* A 16 KiB stack has no room for it. */
	struct {
		char *argv[512];
		char buf[ARGV_ROOM];
	} * asked;
	long p = sb_raw(SYS_mmap, 0, sizeof(*asked), PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (failed(p)) {
		hello(st, NULL);
		return;
	}
	asked = (void *)p;
	ask_argv(asked->buf, sizeof(asked->buf), asked->argv,
		 sizeof(asked->argv) / sizeof(asked->argv[0]));
	hello(st, asked->argv);
	(void)sb_raw(SYS_munmap, p, sizeof(*asked), 0, 0, 0, 0);
}

bool sb_start(char *const *argv, char *const *envp)
{
	struct sb_recorder *st = sb_self();
	uint32_t untouched = SB_UNTOUCHED;
	long fd;
	bool ok;

	if (!sb_cas(&st->phase, &untouched, SB_STARTING))
		return sb_load(&st->phase) == SB_ON;
	fd = parse(st, envp) ? open_log(st) : -1;
	ok = !failed(fd) && map_log(st, (int)fd) && map_passing(st);
	if (ok && !st->sandboxed) {
		st->pid = (int32_t)sb_raw(SYS_getpid, 0, 0, 0, 0, 0, 0);
		watch_forks(st);
	}
	if (ok && !sb_chunk_first(st, (int)fd))
		(void)sb_add(&st->log->lost, 1);
	if (!failed(fd))
		(void)sb_raw(SYS_close, fd, 0, 0, 0, 0, 0);
	sb_store(&st->phase, ok ? SB_ON : SB_OFF);
	if (ok && (argv || st->sandboxed))
		hello(st, argv);
	else if (ok)
		hello_asking(st);
	return ok;
}

bool sb_start_late(void)
{
	/* Before the libc has set its environment there is nothing to go by yet: ask again later.
	 */
	return &__environ && __environ && sb_start(NULL, __environ);
}

static void became_child(struct sb_recorder *st)
{
	struct sb_rec head = {.kind = SB_REC_HELLO, .dirfd = 1, .arg = st->image};

	head.where = sb_load(&st->where);
	st->strayed = 0;
	/* A sandboxed child may not ask for a chunk: it writes on in its parent's. */
	if (sb_load(&st->sandboxed))
		return;
	st->pid = (int32_t)sb_raw(SYS_getpid, 0, 0, 0, 0, 0, 0);
	if (sb_chunk_first(st, -1)) {
		char cwd[PATH_MAX];

		sb_cwd(st, cwd, sizeof(cwd));
		head.value = (int32_t)sb_raw(SYS_getppid, 0, 0, 0, 0, 0, 0);
		(void)sb_write(&head, (struct sb_text[]){{cwd, sb_strlen(cwd)}}, 1, NULL, 0, NULL);
		if (st->root)
			sb_write_where(st, head.where);
	} else {
		(void)sb_add(&st->log->lost, 1);
	}
}

void sb_fork_check(struct sb_recorder *st)
{
	uint32_t wiped = 0;
	int32_t pid, before;

	if (st->wiped) {
		if (sb_load(&st->passing->settled) == SB_SETTLED ||
		    !sb_cas(&st->passing->settled, &wiped, 1))
			return;
		became_child(st);
		sb_store(&st->passing->settled, SB_SETTLED);
		return;
	}
	if (!st->stays || sb_load(&st->sandboxed))
		return;
	pid = (int32_t)sb_raw(SYS_getpid, 0, 0, 0, 0, 0, 0);
	before = sb_load(&st->pid);
	if (pid != before && failed(sb_raw(SYS_msync, (long)st->stays, PAGE, MS_ASYNC, 0, 0, 0)) &&
	    sb_cas(&st->pid, &before, pid))
		became_child(st);
}
