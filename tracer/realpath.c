#include "tracer/realpath.h"

#include <limits.h>
#include <sys/stat.h>
#include <stdlib.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/map.h"
#include "common/path.h"
#include "tracer/links.h"

/* As the kernel has it (MAXSYMLINKS). */
#define HOPS_MOST 40
/* Deeper than any path of PATH_MAX bytes can be. */
#define DEPTH_MOST (PATH_MAX / 2 + HOPS_MOST)
/* Some megabytes, whatever a program makes up in names. */
#define KNOWN_MOST     32768
#define MADE_MOST      8192
#define MADE_SIZE_MOST (4u << 20)

struct sb_real {
	struct sb_links *links;
	struct sb_map known;   /* pid, whether to follow, root \0 path -> answer, or none */
	struct sb_map answers; /* interned */
	struct sb_map made;    /* symlinks that were made -> struct made */
	size_t made_size;
	struct sb_buf full; /* scratch */
	double since;	    /* nothing that is remembered is older */
};

/* What a symlink held when it was made. */
struct made {
	double when;
	char target[];
};

/* One look-up on its way through links. */
struct look {
	struct sb_real *real;
	const char *root;
	pid_t pid;
	int hops, depth;
	bool fleeting; /* by way of a descriptor: another file the next time */
};

/* Remembered for "cannot be told": no real path is empty. */
static const char untold[] = "";

int sb_real_new(struct sb_real **ret, struct sb_err *err)
{
	struct sb_real *real = calloc(1, sizeof *real);

	if (!real)
		return sb_fail(err, ENOMEM, "start resolving paths");
	int rc = sb_links_new(&real->links, err);
	if (rc < 0)
		free(real);
	else
		*ret = real;
	return rc;
}

void sb_real_forget(struct sb_real *real)
{
	sb_links_doubt(real->links);
	sb_map_clear(&real->known);
	sb_map_clear(&real->answers);
}

static double now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void sb_real_renew(struct sb_real *real)
{
	double t = now();

	if (t - real->since < SB_REAL_BELIEVED)
		return;
	sb_real_forget(real);
	real->since = t;
}

void sb_real_trim(struct sb_real *real)
{
	if (real->known.count <= KNOWN_MOST)
		return;
	sb_links_doubt(real->links);
	sb_map_free(&real->known);
	sb_map_free(&real->answers);
}

static void forget_made(struct sb_real *real)
{
	for (size_t i = 0; i < real->made.count; i++)
		free(real->made.entries[i].value);
	sb_map_free(&real->made);
	real->made_size = 0;
}

void sb_real_free(struct sb_real *real)
{
	if (!real)
		return;
	sb_map_free(&real->known);
	sb_map_free(&real->answers);
	forget_made(real);
	sb_links_free(real->links);
	sb_buf_free(&real->full);
	free(real);
}

static const char *follow(struct look *look, const char *path, bool nofollow);

static const char *keep(struct look *look, const char *dir, const char *name, size_t len)
{
	struct sb_buf *full = &look->real->full;

	sb_buf_cut(full, 0);
	if (sb_buf_puts(full, strcmp(dir, "/") == 0 ? "" : dir) < 0 || sb_buf_putc(full, '/') < 0 ||
	    sb_buf_add(full, name, len) < 0)
		return untold;
	const char *kept = sb_map_intern(&look->real->answers, full->s);
	return kept ? kept : untold;
}

/* /proc/self is another one for every process that reads it. */
static bool self_link(struct look *look, const char *path, char *target, size_t size)
{
	bool thread = strcmp(path, "/proc/thread-self") == 0;

	if (!thread && strcmp(path, "/proc/self") != 0)
		return false;
	if (thread)
		(void)snprintf(target, size, "%d/task/%d", (int)look->pid, (int)look->pid);
	else
		(void)snprintf(target, size, "%d", (int)look->pid);
	return true;
}

void sb_real_linked(struct sb_real *real, const char *path, const char *target)
{
	size_t size = target ? strlen(target) + 1 : 0;
	struct sb_map_entry *entry;

	if (size > PATH_MAX)
		return;
	real->made_size += size ? size + strlen(path) : 0;
	if (real->made.count >= MADE_MOST || real->made_size > MADE_SIZE_MOST)
		forget_made(real);
	entry = target ? sb_map_adds(&real->made, path, NULL) : sb_map_finds(&real->made, path);
	if (!entry)
		return;
	free(entry->value);
	/* Out of memory: then it is followed as it is. */
	struct made *p = entry->value = target ? malloc(sizeof *p + size) : NULL;
	if (p) {
		p->when = now();
		memcpy(p->target, target, size);
	}
}

static struct made *made_at(const struct sb_real *real, const char *path)
{
	const struct sb_map_entry *entry =
		real->made.count ? sb_map_finds(&real->made, path) : NULL;

	return entry ? entry->value : NULL;
}

static bool is_directory(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

void sb_real_moved(struct sb_real *real, const char *from, const char *to)
{
	char target[PATH_MAX];
	const struct made *p = made_at(real, from);

	if (!real->made.count)
		return;
	if (p)
		(void)snprintf(target, sizeof target, "%s", p->target);
	sb_real_linked(real, to, p ? target : NULL);
	sb_real_linked(real, from, NULL);
	if (p || !is_directory(to))
		return;
	for (size_t i = 0; i < real->made.count; i++) {
		struct sb_map_entry *entry = &real->made.entries[i];

		if (entry->value &&
		    (sb_path_below(entry->key, from) || sb_path_below(entry->key, to))) {
			free(entry->value);
			entry->value = NULL;
		}
	}
}

/* readlink(2), or what it was when what is told of now was done. */
static ssize_t read_link(struct sb_real *real, char *path, char *ret_target, size_t size)
{
	const struct made *p = made_at(real, path);
	bool fresh = p && now() - p->when <= SB_REAL_MADE;
	ssize_t n = fresh ? -ENOENT : sb_links_read(real->links, path, ret_target, size);

	if (!p || n != -ENOENT)
		return n;
	(void)snprintf(ret_target, size, "%s", p->target);
	return (ssize_t)strlen(ret_target);
}

/*
 * `path` is a directory's real path and a name below it: what is it, once links are followed? Kept
 * out of its caller, whose frames pile up as deep as a path is.
 */
__attribute__((noinline)) static const char *last_step(struct look *look, const char *dir,
						       const char *path, bool nofollow)
{
	char target[PATH_MAX];
	auto_buf next = SB_BUF_INIT;

	if (!self_link(look, path, target, sizeof target)) {
		struct sb_buf *full = &look->real->full;

		if (sb_in_root(full, look->root, path) < 0)
			return untold;
		ssize_t n = read_link(look->real, full->s, target, sizeof target);
		if (strncmp(path, "/proc/", 6) == 0 && (n >= 0 || strstr(path, "/fd/")))
			look->fleeting = true;
		if (n < 0)
			return n == -EINVAL || n == -ENOENT || n == -ENOTDIR || n == -ENAMETOOLONG
				       ? path
				       : untold;
	}
	if (nofollow)
		return path;
	if (++look->hops > HOPS_MOST)
		return untold;
	/* pipe:[7], socket:[7], anon_inode:...: what is behind a descriptor has no path. */
	if (target[0] != '/' && strchr(target, ':') && strncmp(path, "/proc/", 6) == 0)
		return untold;
	if (target[0] != '/' && (sb_buf_puts(&next, dir) < 0 || sb_buf_putc(&next, '/') < 0))
		return untold;
	if (sb_buf_puts(&next, target) < 0)
		return untold;
	return follow(look, next.s, false);
}

static const char *remembered(struct look *look, const char *path, size_t len, bool nofollow,
			      struct sb_map_entry **ret_entry)
{
	struct sb_map *known = &look->real->known;
	struct sb_buf *key = &look->real->full;

	/* The process matters only below /proc and /dev, by way of self. */
	pid_t own = strncmp(path, "/proc", 5) == 0 || strncmp(path, "/dev", 4) == 0 ? look->pid : 0;
	key->len = 0;
	if (sb_buf_add(key, &own, sizeof own) < 0 || sb_buf_putc(key, nofollow ? 'n' : 'f') < 0 ||
	    sb_buf_puts(key, look->root) < 0 || sb_buf_putc(key, '\0') < 0 ||
	    sb_buf_add(key, path, len) < 0)
		return untold;
	*ret_entry = sb_map_add(known, key->s, key->len, NULL);
	return *ret_entry ? (*ret_entry)->value : untold;
}

/* `path` is absolute; its slashes and dots are as they come. */
static const char *follow(struct look *look, const char *path, bool nofollow)
{
	size_t len = strlen(path);

	if (++look->depth > DEPTH_MOST)
		return untold;
	while (len > 1 && path[len - 1] == '/') {
		len--;
		nofollow = false; /* what a trailing slash names is followed */
	}
	size_t slash = len;
	while (slash > 0 && path[slash - 1] != '/')
		slash--;
	if (len <= 1)
		return "/";
	struct sb_map_entry *entry = NULL;
	const char *answer = remembered(look, path, len, nofollow, &entry);
	if (answer || !entry)
		return answer ? answer : untold;
	auto_free char *above = strndup(path, slash > 1 ? slash - 1 : 1);
	auto_free char *whole = strndup(path, len);
	if (!above || !whole)
		return untold;
	/* Additions move entries: find it again when the answer is there. */
	const char *key = entry->key;
	size_t key_len = entry->len;
	const char *name = whole + slash;
	const char *dir = follow(look, above, false);
	if (dir == untold)
		answer = untold;
	else if (strcmp(name, ".") == 0)
		answer = dir;
	else if (strcmp(name, "..") == 0) {
		const char *up = strrchr(dir, '/');

		answer = up == dir ? "/" : keep(look, "/", dir + 1, (size_t)(up - dir - 1));
	} else {
		answer = keep(look, dir, name, strlen(name));
		if (answer != untold)
			answer = last_step(look, dir, answer, nofollow);
	}
	entry = look->fleeting ? NULL : sb_map_find(&look->real->known, key, key_len);
	if (entry)
		entry->value = (void *)(uintptr_t)answer;
	return answer;
}

const char *sb_real_path(struct sb_real *real, const char *root, const char *path, bool nofollow,
			 pid_t pid)
{
	struct look look = {.real = real, .root = root, .pid = pid};
	const char *answer = follow(&look, path, nofollow);

	return answer == untold ? NULL : answer;
}

bool sb_real_removed(struct sb_real *real, const char *root, const char *path, pid_t pid)
{
	/* Where it was a link that was followed, both answers differ. */
	const char *itself = sb_real_path(real, root, path, true, pid);
	const char *behind = sb_real_path(real, root, path, false, pid);

	bool link = !itself || !behind || strcmp(itself, behind) != 0;

	if (link)
		sb_real_forget(real);
	return link;
}
