#include "tracer/links.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "common/map.h"

/* More than the grain of any file system's clock that is believed here (a tick: 10 ms). */
#define GRAIN_NS 100000000ll
/* Some megabytes of names. */
#define NAMES_MOST 65536

struct stamp {
	dev_t dev;
	ino_t ino;
	struct timespec ctime;
};

struct directory {
	struct stamp stamp;
	unsigned round; /* when it was looked at */
	bool remembers;
	bool missing;	     /* there is none, nor anything below it */
	struct sb_map names; /* -> target, or one of those below */
};

struct sb_links {
	struct sb_map directories;
	struct sb_map targets; /* interned */
	unsigned round;
	size_t names;
};

static const char no_link[] = "", nothing[] = "";

int sb_links_new(struct sb_links **ret, struct sb_err *err)
{
	struct sb_links *links = calloc(1, sizeof *links);

	if (!links)
		return sb_fail(err, ENOMEM, "start resolving paths");
	*ret = links;
	return 0;
}

static void forget(struct sb_links *links)
{
	for (size_t i = 0; i < links->directories.count; i++) {
		struct directory *d = links->directories.entries[i].value;

		if (d)
			sb_map_free(&d->names);
		free(d);
	}
	sb_map_free(&links->directories);
	sb_map_free(&links->targets);
	links->names = 0;
}

void sb_links_free(struct sb_links *links)
{
	if (!links)
		return;
	forget(links);
	free(links);
}

void sb_links_doubt(struct sb_links *links)
{
	links->round++;
}

/* Its times are its server's, or made up. */
static bool tells_no_changes(const char *dir)
{
	static const long kinds[] = {
		PROC_SUPER_MAGIC, SYSFS_MAGIC,	    FUSE_SUPER_MAGIC,	NFS_SUPER_MAGIC,
		SMB_SUPER_MAGIC,  SMB2_SUPER_MAGIC, CIFS_SUPER_MAGIC,	V9FS_MAGIC,
		AFS_SUPER_MAGIC,  CODA_SUPER_MAGIC, AUTOFS_SUPER_MAGIC,
	};
	struct statfs fs;

	if (statfs(*dir ? dir : "/", &fs) < 0)
		return true;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if ((unsigned)fs.f_type == (unsigned)kinds[i])
			return true;
	return false;
}

static bool long_ago(const struct timespec *then)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (now.tv_sec - then->tv_sec) * 1000000000ll + (now.tv_nsec - then->tv_nsec) >
	       GRAIN_NS;
}

static bool same(const struct stamp *a, const struct stamp *b)
{
	return a->dev == b->dev && a->ino == b->ino && a->ctime.tv_sec == b->ctime.tv_sec &&
	       a->ctime.tv_nsec == b->ctime.tv_nsec;
}

/* What is known of `dir` by the directory that it would be in. */
static bool is_known_missing(const struct sb_links *links, const char *dir)
{
	const char *slash = strrchr(dir, '/');
	const struct sb_map_entry *above =
		slash ? sb_map_find(&links->directories, dir, (size_t)(slash - dir)) : NULL;
	const struct directory *d = above ? above->value : NULL;

	if (!d || d->round != links->round)
		return false;
	const struct sb_map_entry *name = d->remembers ? sb_map_finds(&d->names, slash + 1) : NULL;
	return d->missing || (name && name->value == nothing);
}

/* Looks at the directory, and drops what was read there before it was what it is. */
static void look(struct sb_links *links, struct directory *d, const char *dir)
{
	bool believed = d->remembers, missing = is_known_missing(links, dir);
	struct stamp stamp = {0};
	struct stat st;

	d->round = links->round;
	if (!missing && stat(*dir ? dir : "/", &st) == 0)
		stamp = (struct stamp){.dev = st.st_dev, .ino = st.st_ino, .ctime = st.st_ctim};
	else
		missing = missing || errno == ENOENT || errno == ENOTDIR;
	d->missing = missing;
	if (stamp.ino && believed && same(&stamp, &d->stamp))
		return;
	links->names -= d->names.count;
	sb_map_free(&d->names);
	believed = believed && d->stamp.dev == stamp.dev;
	d->remembers = stamp.ino && long_ago(&stamp.ctime) && (believed || !tells_no_changes(dir));
	d->stamp = stamp;
}

/* NULL where there is no memory for it. */
static struct directory *find(struct sb_links *links, const char *dir, size_t len)
{
	struct sb_map_entry *entry = sb_map_add(&links->directories, dir, len, NULL);
	struct directory *d = entry ? entry->value : NULL;

	if (entry && !d) {
		d = entry->value = calloc(1, sizeof *d);
		if (d)
			d->round = links->round - 1;
	}
	if (d && d->round != links->round)
		look(links, d, dir);
	return d;
}

static ssize_t answer(const char *target, char *ret_target, size_t size)
{
	size_t len = strlen(target);

	if (target == no_link)
		return -EINVAL;
	if (target == nothing)
		return -ENOENT;
	if (len >= size)
		len = size - 1;
	memcpy(ret_target, target, len);
	ret_target[len] = '\0';
	return (ssize_t)len;
}

static ssize_t read_now(const char *path, char *ret_target, size_t size)
{
	ssize_t n = readlink(path, ret_target, size - 1);

	if (n < 0)
		return -errno;
	ret_target[n] = '\0';
	return n;
}

ssize_t sb_links_read(struct sb_links *links, char *path, char *ret_target, size_t size)
{
	char *slash = strrchr(path, '/');
	const char *name = slash + 1;

	if (links->names > NAMES_MOST || links->directories.count > NAMES_MOST)
		forget(links);
	*slash = '\0';
	struct directory *d = find(links, path, (size_t)(slash - path));
	*slash = '/';
	if (d && d->missing)
		return -ENOENT;
	const struct sb_map_entry *known = d && d->remembers ? sb_map_finds(&d->names, name) : NULL;
	if (known && known->value)
		return answer(known->value, ret_target, size);
	ssize_t n = read_now(path, ret_target, size);
	const char *kept = n == -EINVAL ? no_link : n == -ENOENT ? nothing : NULL;
	if (n >= 0)
		kept = sb_map_intern(&links->targets, ret_target);
	if (!kept || !d || !d->remembers)
		return n;
	/* Without memory for it, it is read once more. */
	struct sb_map_entry *entry = sb_map_adds(&d->names, name, NULL);
	if (entry && !entry->value) {
		entry->value = (void *)(uintptr_t)kept;
		links->names++;
	}
	return n;
}
