#include "bundler/site.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "bundler/manifest.h"
#include "common/buf.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/tree.h"

/* Begins the name of every directory that a bundle is built in; the bundle's name follows. */
#define TEMP_PREFIX ".sidebundle-"
#define TEMP_RANDOM 8

/* 0: nothing there; 1: a bundle of ours; else the failure. */
static int look_at(int parent, const char *name, const char *shown, struct sb_err *err)
{
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : sb_fail(err, errno, "look at '%s'", shown);
	/* Never through a symlink: what it leads to is not ours to replace. */
	auto_fd int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstatat(fd, SB_MANIFEST_PATH, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISREG(st.st_mode))
		return sb_fail(
			err, SB_ESAID,
			"'%s' is in the way, and is no bundle (it has no %s): choose another "
			"--name or --out-dir, or move it away",
			shown, SB_MANIFEST_PATH);
	return 1;
}

static int check_old(int parent, const char *name, const char *shown, bool force,
		     struct sb_err *err)
{
	int rc = look_at(parent, name, shown, err);

	if (rc > 0 && !force)
		return sb_fail(
			err, SB_ESAID,
			"the bundle '%s' is there already: --force replaces it, --name gives "
			"another name",
			shown);
	return rc < 0 ? rc : 0;
}

static int show(const char *dir, const char *name, struct sb_buf *ret, struct sb_err *err)
{
	size_t len = strlen(dir);

	return sb_buf_printf(ret, "%s%s%s", dir, len && dir[len - 1] == '/' ? "" : "/", name) < 0
		       ? sb_fail(err, ENOMEM, "make a bundle")
		       : 0;
}

int sb_site_check(const char *dir, const char *name, bool force, struct sb_err *err)
{
	auto_buf shown = SB_BUF_INIT;
	auto_fd int parent = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (parent < 0)
		return errno == ENOENT ? 0 : sb_fail(err, errno, "open directory '%s'", dir);
	int rc = show(dir, name, &shown, err);
	return rc < 0 ? rc : check_old(parent, name, shown.s, force, err);
}

static int make_directories(const char *dir, struct sb_err *err)
{
	auto_free char *path = strdup(dir);

	if (!path)
		return sb_fail(err, ENOMEM, "make directory '%s'", dir);
	for (char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
		if (slash)
			*slash = '\0';
		if (mkdir(path, 0777) < 0 && errno != EEXIST)
			return sb_fail(err, errno,
				       "make directory '%s' (--out-dir names another place)", path);
		if (!slash)
			return 0;
		*slash = '/';
	}
}

/* Held for as long as a build goes on: the mark of a live one. Not every file system has locks. */
static bool lock(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

static bool is_temp_of(const char *temp, const char *name)
{
	size_t prefix = strlen(TEMP_PREFIX), len = strlen(name);

	return strncmp(temp, TEMP_PREFIX, prefix) == 0 && strncmp(temp + prefix, name, len) == 0 &&
	       temp[prefix + len] == '.' && strlen(temp + prefix + len + 1) == TEMP_RANDOM;
}

/* What builds of the same bundle left that were killed. Failures are no concern of this build. */
static void remove_stale(const struct sb_site *site)
{
	auto_fd int fd = openat(site->parent, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_dir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!dir)
		return;
	(void)sb_steal_fd(&fd);
	while ((entry = readdir(dir))) {
		struct sb_err ignored = SB_ERR_INIT;

		if (!is_temp_of(entry->d_name, site->name))
			continue;
		auto_fd int old = openat(site->parent, entry->d_name,
					 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (old >= 0 && flock(old, LOCK_EX | LOCK_NB) == 0)
			(void)sb_tree_remove(site->parent, entry->d_name, &ignored);
	}
}

/* A directory with a name that nobody has, locked. */
static int make_temp(struct sb_site *site, struct sb_err *err)
{
	for (int attempt = 0; attempt < 100; attempt++) {
		auto_buf temp = SB_BUF_INIT;
		uint32_t random;

		if (getrandom(&random, sizeof random, 0) != sizeof random)
			return sb_fail(err, errno, "ask for a random number");
		if (sb_buf_printf(&temp, TEMP_PREFIX "%s.%08x", site->name, random) < 0)
			return sb_fail(err, ENOMEM, "make a bundle");
		if (mkdirat(site->parent, temp.s, 0700) < 0) {
			if (errno == EEXIST)
				continue;
			return sb_fail(
				err, errno,
				"make a directory beside '%s' (--out-dir names another place)",
				site->shown);
		}
		site->temp = sb_buf_steal(&temp);
		site->fd = openat(site->parent, site->temp,
				  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* Between these two another build may have taken it for a stale one. */
		if (site->fd >= 0 && lock(site->fd) &&
		    faccessat(site->parent, site->temp, F_OK, 0) == 0)
			return 0;
		if (site->fd >= 0)
			close(site->fd);
		site->fd = -1;
		free(site->temp);
		site->temp = NULL;
	}
	return sb_fail(err, EEXIST, "make a directory beside '%s'", site->shown);
}

int sb_site_open(const char *dir, const char *name, bool force, struct sb_site *ret,
		 struct sb_err *err)
{
	auto_site site = SB_SITE_INIT;
	auto_buf shown = SB_BUF_INIT;
	int rc = show(dir, name, &shown, err);

	if (rc == 0)
		rc = make_directories(dir, err);
	if (rc < 0)
		return rc;
	site.shown = sb_buf_steal(&shown);
	site.name = strdup(name);
	site.replace = force;
	site.parent = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (site.parent < 0 || !site.name || !site.shown)
		return sb_fail(err, site.parent < 0 ? errno : ENOMEM, "open directory '%s'", dir);
	rc = check_old(site.parent, name, site.shown, force, err);
	if (rc < 0)
		return rc;
	remove_stale(&site);
	rc = make_temp(&site, err);
	if (rc < 0)
		return rc;
	*ret = site;
	site = (struct sb_site)SB_SITE_INIT;
	return 0;
}

/* The old one out of the way, under the name of the new one, which takes its place. */
static int exchange(struct sb_site *site, struct sb_err *err)
{
	if (renameat2(site->parent, site->temp, site->parent, site->name, RENAME_EXCHANGE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return sb_fail(err, errno, "put the new bundle in the place of '%s'", site->shown);
	/* A file system that cannot exchange: for a moment there is none. */
	auto_buf aside = SB_BUF_INIT;
	if (sb_buf_printf(&aside, "%s.old", site->temp) < 0)
		return sb_fail(err, ENOMEM, "replace '%s'", site->shown);
	if (renameat(site->parent, site->name, site->parent, aside.s) < 0)
		return sb_fail(err, errno, "move the old '%s' aside", site->shown);
	if (renameat(site->parent, site->temp, site->parent, site->name) < 0) {
		int failed = errno;

		(void)renameat(site->parent, aside.s, site->parent, site->name);
		return sb_fail(err, failed, "put the new bundle in the place of '%s'", site->shown);
	}
	(void)renameat(site->parent, aside.s, site->parent, site->temp);
	return 0;
}

int sb_site_commit(struct sb_site *site, struct sb_err *err)
{
	struct sb_err ignored = SB_ERR_INIT;
	int rc;

	/* Without RENAME_NOREPLACE (some network file systems) a directory still only replaces an
	 * empty one. */
	if (renameat2(site->parent, site->temp, site->parent, site->name, RENAME_NOREPLACE) == 0 ||
	    ((errno == EINVAL || errno == ENOSYS) &&
	     renameat(site->parent, site->temp, site->parent, site->name) == 0)) {
		free(site->temp);
		site->temp = NULL;
		return 0;
	}
	if (errno != EEXIST && errno != ENOTEMPTY)
		return sb_fail(err, errno, "put the bundle into place as '%s'", site->shown);
	/* Looked at again: it may have come up while we were at work. */
	rc = check_old(site->parent, site->name, site->shown, site->replace, err);
	if (rc == 0)
		rc = exchange(site, err);
	if (rc < 0)
		return rc;
	if (sb_tree_remove(site->parent, site->temp, &ignored) < 0)
		sb_log(SB_LOG_WARN, "the new bundle is in place; the old one is left as '%s': %s",
		       site->temp, ignored.msg);
	free(site->temp);
	site->temp = NULL;
	return 0;
}

void sb_site_close(struct sb_site *site)
{
	int saved = errno;
	struct sb_err ignored = SB_ERR_INIT;

	if (site->temp)
		(void)sb_tree_remove(site->parent, site->temp, &ignored);
	if (site->fd >= 0)
		close(site->fd);
	if (site->parent >= 0)
		close(site->parent);
	free(site->temp);
	free(site->name);
	free(site->shown);
	*site = (struct sb_site)SB_SITE_INIT;
	errno = saved;
}
