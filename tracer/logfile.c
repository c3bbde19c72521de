#include "tracer/logfile.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <time.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/map.h"
#include "tracer/logsweep.h"
#include "tracer/mapped.h"

/* Chunks are mapped in pieces of this many: few mappings, and little address space at a time. */
#define PIECE	   128u
#define PIECE_SIZE ((size_t)PIECE * SB_CHUNK)
/* Their storage is given back so many at a time: each time costs more than a chunk does. */
#define HELD_MOST 16u
/* Storage ahead of what was claimed: little for a short run, soon more than a burst can take. */
#define AHEAD_FIRST (2u << 20)
#define AHEAD_LEAST (8u << 20)
#define AHEAD_MOST  (256u << 20)
/* A file system with less room than this is taken only if none has more: a container's /dev/shm. */
#define ROOM_WANTED (512ull << 20)
#define ROOM_LEAST  (2 * (unsigned long long)AHEAD_LEAST)

struct piece {
	uint64_t number;
	struct sb_mapped mapped;
	unsigned used; /* chunks mapped and not released */
	struct piece *next;
};

struct sb_log_file {
	int fd;
	struct sb_buf dir, path, modules;
	struct sb_log_header *head;
	struct sb_mapped head_mapped;
	volatile sig_atomic_t cut; /* somebody made the file shorter than it was */
	uint64_t allocated;
	uint64_t seen; /* claimed, when storage was last looked after */
	size_t ahead;
	struct piece *pieces;
	/* Chunks in a row that were released, and still have their storage. */
	uint64_t held, held_count;
};

/* --- where ----------------------------------------------------------------------------------- */

struct candidates {
	const char *dirs[4];
	unsigned long long room[4];
};

/* LD_PRELOAD is split at spaces and colons; $ starts a token. */
static bool fits_preload(const char *path)
{
	return strpbrk(path, " :\t\n$") == NULL;
}

static unsigned long long room_in(const char *dir)
{
	struct statvfs vfs;

	if (dir[0] != '/' || access(dir, W_OK | X_OK) < 0 || statvfs(dir, &vfs) < 0 ||
	    vfs.f_flag & ST_RDONLY)
		return 0;
	return (unsigned long long)vfs.f_bavail * vfs.f_frsize;
}

/* Best first: those with plenty of room in their order, then the others by room. */
static void find_candidates(struct candidates *c)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *tmp = getenv("TMPDIR");
	const char *const all[] = {"/dev/shm", runtime, tmp ? tmp : "/tmp", "/var/tmp"};
	size_t n = 0;

	memset(c, 0, sizeof *c);
	/* First: what fills a place may be what a killed run left. */
	sb_log_sweep(all, sizeof all / sizeof *all);
	for (size_t i = 0; i < 4; i++) {
		unsigned long long room;
		size_t at = n;

		if (!all[i] || !*all[i])
			continue;
		room = room_in(all[i]);
		if (room < ROOM_LEAST)
			continue;
		for (; at > 0 && c->room[at - 1] < ROOM_WANTED && c->room[at - 1] < room; at--) {
			c->dirs[at] = c->dirs[at - 1];
			c->room[at] = c->room[at - 1];
		}
		c->dirs[at] = all[i];
		c->room[at] = room;
		n++;
	}
}

/* --- the file --------------------------------------------------------------------------------- */

/* Storage, not just size: a hole in a full tmpfs is a SIGBUS for whoever writes to it. */
static int allocate(int fd, off_t from, off_t len)
{
	static const char zeroes[SB_CHUNK];

	if (fallocate(fd, 0, from, len) == 0)
		return 0;
	if (errno == EINTR)
		return allocate(fd, from, len);
	if (errno != EOPNOTSUPP && errno != ENOSYS)
		return -errno;
	for (off_t at = from; at < from + len; at += (off_t)sizeof zeroes) {
		ssize_t n = pwrite(fd, zeroes, sizeof zeroes, at);

		if (n != (ssize_t)sizeof zeroes)
			return n < 0 ? -errno : -ENOSPC;
	}
	return 0;
}

static int link_modules(struct sb_log_file *log, const char *modules, struct sb_err *err)
{
	if (fits_preload(modules))
		return sb_buf_set(&log->modules, modules) < 0 ? -ENOMEM : 0;
	if (sb_buf_printf(&log->modules, "%s/modules", log->dir.s) < 0)
		return -ENOMEM;
	return symlink(modules, log->modules.s) < 0
		       ? sb_fail(err, errno, "make the link '%s'", log->modules.s)
		       : 0;
}

/* The lock is taken before the file has its name, so that nobody can find it unlocked. */
static int open_file(struct sb_log_file *log, struct sb_err *err)
{
	auto_buf fresh = SB_BUF_INIT;

	if (sb_buf_printf(&fresh, "%s/new", log->dir.s) < 0 ||
	    sb_buf_printf(&log->path, "%s/log", log->dir.s) < 0)
		return sb_fail(err, ENOMEM, "make the log");
	log->fd = open(fresh.s, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (log->fd < 0)
		return sb_fail(err, errno, "make '%s'", fresh.s);
	/* The lock only tells later runs that we live. */
	(void)flock(log->fd, LOCK_EX | LOCK_NB);
	int rc = allocate(log->fd, 0, SB_LOG_HEADER);
	if (rc < 0)
		return sb_fail(err, -rc, "give storage to '%s'", fresh.s);
	log->head = mmap(NULL, SB_LOG_HEADER, PROT_READ | PROT_WRITE, MAP_SHARED, log->fd, 0);
	if (log->head == MAP_FAILED) {
		log->head = NULL;
		return sb_fail(err, errno, "map '%s'", fresh.s);
	}
	log->head_mapped = (struct sb_mapped){.memory = (char *)log->head,
					      .size = SB_LOG_HEADER,
					      .prot = PROT_READ | PROT_WRITE,
					      .cut = &log->cut};
	sb_mapped_add(&log->head_mapped);
	log->head->magic = SB_LOG_MAGIC;
	log->head->version = SB_LOG_VERSION;
	log->head->chunk_size = SB_CHUNK;
	if (rename(fresh.s, log->path.s) < 0)
		return sb_fail(err, errno, "make '%s'", log->path.s);
	if (!sb_log_ahead(log))
		return sb_fail(err, ENOSPC, "give storage to '%s'", log->path.s);
	return 0;
}

static int make_in(struct sb_log_file *log, const char *where, const char *modules,
		   struct sb_err *err)
{
	if (sb_buf_printf(&log->dir, "%s/" SB_LOG_PREFIX "XXXXXX", where) < 0)
		return sb_fail(err, ENOMEM, "make the log");
	if (!mkdtemp(log->dir.s)) {
		int rc = sb_fail(err, errno, "make '%s'", log->dir.s);

		sb_buf_free(&log->dir);
		return rc;
	}
	int rc = link_modules(log, modules, err);
	if (rc == -ENOMEM)
		return sb_fail(err, ENOMEM, "make the log");
	return rc < 0 ? rc : open_file(log, err);
}

/* The log may grow past what the shell allows its files; the command keeps the limit it had. */
static void raise_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_FSIZE, &limit); /* then the log stays smaller */
	}
}

int sb_log_make(const char *modules, struct sb_log_file **ret, struct sb_err *err)
{
	struct candidates c;
	int rc = sb_fail(err, ENOSPC,
			 "no room for the log: /dev/shm, XDG_RUNTIME_DIR, TMPDIR and /var/tmp have "
			 "less than %llu MiB to write to (free some, or set TMPDIR)",
			 ROOM_LEAST >> 20);

	raise_limit();
	find_candidates(&c);
	for (size_t i = 0; i < 4 && c.dirs[i]; i++) {
		struct sb_log_file *log;

		/* A link to the modules in a directory with a space would not help. */
		if (!fits_preload(modules) && !fits_preload(c.dirs[i]))
			continue;
		log = calloc(1, sizeof *log);
		if (!log)
			return sb_fail(err, ENOMEM, "make the log");
		log->fd = -1;
		rc = make_in(log, c.dirs[i], modules, err);
		if (rc == 0) {
			sb_log(SB_LOG_DEBUG, "the log is %s", log->path.s);
			*ret = log;
			return 0;
		}
		sb_log_free(log);
	}
	return rc;
}

static void drop_piece(struct piece *p)
{
	sb_mapped_remove(&p->mapped);
	(void)munmap(p->mapped.memory, PIECE_SIZE);
	free(p);
}

void sb_log_free(struct sb_log_file *log)
{
	if (!log)
		return;
	if (log->dir.s) {
		auto_buf modules = SB_BUF_INIT;
		auto_fd int dir = open(log->dir.s, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

		/* What cannot be removed, the next run will find by its lock. */
		if (log->path.s)
			(void)unlink(log->path.s);
		if (dir >= 0)
			sb_log_remove_texts(dir, log->dir.s);
		if (sb_buf_printf(&modules, "%s/modules", log->dir.s) == 0)
			(void)unlink(modules.s);
		(void)rmdir(log->dir.s);
	}
	while (log->pieces) {
		struct piece *next = log->pieces->next;

		drop_piece(log->pieces);
		log->pieces = next;
	}
	sb_mapped_remove(&log->head_mapped);
	if (log->head)
		(void)munmap(log->head, SB_LOG_HEADER);
	if (log->fd >= 0)
		close(log->fd);
	sb_buf_free(&log->dir);
	sb_buf_free(&log->path);
	sb_buf_free(&log->modules);
	free(log);
}

struct sb_log_header *sb_log_head(struct sb_log_file *log)
{
	return log->head;
}

const char *sb_log_path(const struct sb_log_file *log)
{
	return log->path.s;
}

const char *sb_log_dir(const struct sb_log_file *log)
{
	return log->dir.s;
}

const char *sb_log_modules(const struct sb_log_file *log)
{
	return log->modules.s;
}

bool sb_log_is_cut(const struct sb_log_file *log)
{
	return log->cut;
}

/* --- chunks ----------------------------------------------------------------------------------- */

uint64_t sb_log_claimed(struct sb_log_file *log)
{
	uint64_t next = __atomic_load_n(&log->head->next, __ATOMIC_ACQUIRE);

	return next < log->allocated ? next : log->allocated;
}

/* A file system without holes keeps the storage: more room is used, nothing is lost. */
static void give_back(struct sb_log_file *log)
{
	if (log->held_count)
		(void)fallocate(log->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				(off_t)(SB_LOG_HEADER + log->held * SB_CHUNK),
				(off_t)(log->held_count * SB_CHUNK));
	log->held_count = 0;
}

bool sb_log_ahead(struct sb_log_file *log)
{
	/* Nobody claims past what there is: it was scribbled over, and would have all memory. */
	if (__atomic_load_n(&log->head->next, __ATOMIC_ACQUIRE) > log->allocated)
		return true;
	uint64_t claimed = sb_log_claimed(log);
	size_t rate = (size_t)(claimed - log->seen) * SB_CHUNK;
	size_t least = claimed * 8 * SB_CHUNK < AHEAD_FIRST ? AHEAD_FIRST : AHEAD_LEAST;

	/* Eight times what was claimed since the last look; slowly less when it gets quiet. */
	log->seen = claimed;
	log->ahead -= log->ahead / 16;
	if (log->ahead < rate * 8)
		log->ahead = rate * 8;
	if (log->ahead < least)
		log->ahead = least;
	if (log->ahead > AHEAD_MOST)
		log->ahead = AHEAD_MOST;
	uint64_t wanted = claimed + log->ahead / SB_CHUNK;
	/* In steps: not a system call per chunk. */
	if (log->allocated >= wanted - (log->ahead / SB_CHUNK) / 4)
		return true;
	for (; wanted > log->allocated; wanted = log->allocated + (wanted - log->allocated) / 2) {
		if (allocate(log->fd, (off_t)(SB_LOG_HEADER + log->allocated * SB_CHUNK),
			     (off_t)((wanted - log->allocated) * SB_CHUNK)) < 0) {
			give_back(log);
			continue; /* half of it, then */
		}
		log->allocated = wanted;
		__atomic_store_n(&log->head->allocated, wanted, __ATOMIC_RELEASE);
		(void)syscall(SYS_futex, &log->head->allocated, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
		return true;
	}
	return claimed < log->allocated;
}

static struct piece *find_piece(struct sb_log_file *log, uint64_t number)
{
	struct piece *p = log->pieces;

	while (p && p->number != number)
		p = p->next;
	return p;
}

static void drop_unused(struct sb_log_file *log)
{
	struct piece **link = &log->pieces;

	while (*link) {
		struct piece *p = *link;

		if (p->used) {
			link = &p->next;
			continue;
		}
		*link = p->next;
		drop_piece(p);
	}
}

struct sb_chunk *sb_log_chunk(struct sb_log_file *log, uint64_t number)
{
	uint64_t at = number / PIECE;
	struct piece *p = find_piece(log, at);

	if (number >= log->allocated)
		return NULL;
	if (!p) {
		drop_unused(log);
		/* Past the end of what has storage lies nothing that is ever touched. */
		char *memory = mmap(NULL, PIECE_SIZE, PROT_READ, MAP_SHARED, log->fd,
				    (off_t)(SB_LOG_HEADER + at * PIECE_SIZE));

		if (memory == MAP_FAILED)
			return NULL;
		p = calloc(1, sizeof *p);
		if (!p) {
			(void)munmap(memory, PIECE_SIZE);
			return NULL;
		}
		*p = (struct piece){.number = at, .next = log->pieces};
		p->mapped = (struct sb_mapped){
			.memory = memory, .size = PIECE_SIZE, .prot = PROT_READ, .cut = &log->cut};
		sb_mapped_add(&p->mapped);
		log->pieces = p;
	}
	p->used++;
	return (struct sb_chunk *)(p->mapped.memory + number % PIECE * SB_CHUNK);
}

void sb_log_release(struct sb_log_file *log, uint64_t number)
{
	struct piece *p = find_piece(log, number / PIECE);

	/* Unmapped when another is needed: the next chunk is in the same one, mostly. */
	if (p)
		p->used--;
	if (log->held_count && number != log->held + log->held_count)
		give_back(log);
	if (!log->held_count)
		log->held = number;
	if (++log->held_count == HELD_MOST)
		give_back(log);
}
