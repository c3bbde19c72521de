#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "common/cleanup.h"
#include "common/path.h"
#include "tracer/fan_private.h"

static bool same_file(const struct stat *a, const char *path)
{
	struct stat b;

	return lstat(path, &b) == 0 && a->st_dev == b.st_dev && a->st_ino == b.st_ino;
}

static bool link_of(int fd, char *ret)
{
	char name[64];

	(void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(name, ret, PATH_MAX - 1);
	if (n <= 0 || ret[0] != '/')
		return false;
	ret[n] = '\0';
	return true;
}

bool fan_name_path(int fd, char *ret)
{
	static const char gone[] = " (deleted)";
	struct stat st;

	if (!link_of(fd, ret))
		return false;
	size_t len = strlen(ret), tail = sizeof gone - 1;
	/* A name may end so, too. */
	if (len <= tail || strcmp(ret + len - tail, gone) != 0 || fstat(fd, &st) < 0 ||
	    same_file(&st, ret))
		return true;
	ret[len - tail] = '\0';
	/* O_TMPFILE never had a name: it is its directory's. */
	char *base = strrchr(ret, '/');
	char *end = base;
	if (base > ret && base[1] == '#' && strtoull(base + 2, &end, 10) == st.st_ino && !*end)
		*base = '\0';
	return true;
}

/* --- the same mount in two namespaces -------------------------------------------------------- */

struct search {
	uint64_t id; /* of the mount there */
	char *device, *root, *point;
	char *own;	/* the part of the file system that it shows, as we name it */
	size_t own_len; /* of the root of our mount: the nearest one counts */
};

static void find_there(void *arg, const struct fan_mount *mount)
{
	struct search *s = arg;

	if (mount->id != s->id || s->device)
		return;
	s->device = strdup(mount->device);
	s->root = strdup(mount->root);
	s->point = strdup(mount->point);
}

static void find_here(void *arg, const struct fan_mount *mount)
{
	struct search *s = arg;
	size_t len = strlen(mount->root);
	auto_buf own = SB_BUF_INIT;

	if (strcmp(mount->device, s->device) != 0 || !sb_path_below(s->root, mount->root) ||
	    (s->own && len < s->own_len))
		return;
	const char *rest = s->root + (strcmp(mount->root, "/") == 0 ? 0 : len);
	if (sb_in_root(&own, strcmp(mount->point, "/") == 0 ? "" : mount->point,
		       strcmp(rest, "/") == 0 ? "" : rest) < 0)
		return;
	free(s->own);
	s->own = sb_buf_steal(&own);
	s->own_len = len;
}

static void release(struct fan_twin *twin)
{
	free(twin->point);
	free(twin->own);
}

/* Looked for anew: the number of a mount that is gone is given to another one. */
static struct fan_twin *find_twin(struct fan_names *names, uint64_t id, pid_t pid)
{
	struct search s = {.id = id};
	struct fan_twin *twin = NULL;
	char list[64];

	(void)snprintf(list, sizeof list, "/proc/%d/mountinfo", (int)pid);
	auto_fd int fd = open(list, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)fan_mounts_each(fd, find_there, &s);
	/* It may be gone already: another one was met in the same namespace, most likely. */
	for (size_t i = names->mounts->count; i-- > 1 && !s.device;)
		(void)fan_mounts_each(names->mounts->spaces[i].list, find_there, &s);
	if (s.device && s.root)
		(void)fan_mounts_each(names->mounts->spaces[0].list, find_here, &s);
	for (size_t i = 0; i < names->count && !twin; i++)
		if (names->twins[i].id == id)
			twin = &names->twins[i];
	if (s.point && twin) {
		release(twin);
	} else if (s.point) {
		void *grown = reallocarray(names->twins, names->count + 1, sizeof *twin);

		names->twins = grown ? grown : names->twins;
		twin = grown ? &names->twins[names->count++] : NULL;
	}
	if (s.point && twin) {
		twin->id = id;
		twin->point = sb_steal_ptr(s.point);
		twin->own = sb_steal_ptr(s.own);
	}
	free(s.device);
	free(s.root);
	free(s.point);
	free(s.own);
	return twin;
}

void fan_names_free(struct fan_names *names)
{
	for (size_t i = 0; i < names->count; i++)
		release(&names->twins[i]);
	free(names->twins);
	names->count = 0;
}

static bool by_twin(const struct fan_twin *twin, const struct stat *st, const char *path, char *ret)
{
	if (!twin->own || !sb_path_below(path, twin->point))
		return false;
	const char *rest = path + (strcmp(twin->point, "/") == 0 ? 0 : strlen(twin->point));
	return snprintf(ret, PATH_MAX, "%s%s", twin->own, rest) < PATH_MAX && same_file(st, ret);
}

bool fan_name_real(struct fan_names *names, int fd, pid_t pid, const char *path, char *ret)
{
	const struct fan_twin *twin = NULL;
	struct statx stx;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	if (same_file(&st, path)) {
		(void)snprintf(ret, PATH_MAX, "%s", path);
		return true;
	}
	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0 || !(stx.stx_mask & STATX_MNT_ID))
		return false; /* before Linux 5.8 */
	for (size_t i = 0; i < names->count && !twin; i++)
		if (names->twins[i].id == stx.stx_mnt_id)
			twin = &names->twins[i];
	if (twin && by_twin(twin, &st, path, ret))
		return true;
	/* One without a name here stays so for as long as its number is its own. */
	if (!twin || twin->own)
		twin = find_twin(names, stx.stx_mnt_id, pid);
	return twin && by_twin(twin, &st, path, ret);
}
