/*
 * walks DIR: libc moves about by itself, in fts and nftw, and daemon() leaves for good. What is
 * opened by relative names meanwhile is told where it was. DIR is made by the caller and empty.
 */
#include <fts.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/targets/expect.h"

static char dir[256];

static const char *below(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void make(const char *name)
{
	expect("write", 0, below(name));
	if (mkdir(name, 0700))
		fail("mkdir", name);
}

static const char *here(const char *path, const char *name)
{
	static char full[1024];

	snprintf(full, sizeof(full), "%s/%s", path, name);
	return full;
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)at;
	if (type != FTW_D)
		return 0;
	/* It stands above the directory that it tells of. */
	expect("open", ENOENT, here(path, "../by-nftw"));
	open_wanting(here(path + at->base, "../by-nftw"), O_RDONLY, ENOENT);
	return 0;
}

static void walk(void)
{
	char *const paths[] = {dir, NULL};
	FTS *walk = fts_open(paths, FTS_PHYSICAL, NULL);
	FTSENT *entry;

	if (!walk)
		fail("fts_open", dir);
	while ((entry = fts_read(walk))) {
		if (entry->fts_info != FTS_D)
			continue;
		expect("open", ENOENT, here(entry->fts_path, "by-fts"));
		open_wanting(here(entry->fts_accpath, "by-fts"), O_RDONLY, ENOENT);
	}
	expect("open", ENOENT, below("between"));
	open_wanting("between", O_RDONLY, ENOENT);
	if (fts_close(walk))
		fail("fts_close", dir);
}

static void leave(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (daemon(0, 1))
			_exit(1);
		open_expecting("/left-by-daemon", ENOENT);
		open_wanting("left-by-daemon", O_RDONLY, ENOENT);
		expect("open", ENOENT, "/relative-to-daemon");
		open_wanting("relative-to-daemon", O_RDONLY, ENOENT);
		_exit(0);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		fail("daemon", dir);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	snprintf(dir, sizeof(dir), "%s", argv[1]);
	if (chdir(dir))
		fail("chdir", dir);
	make("a");
	make("a/b");
	make("a/b/c");
	if (nftw(dir, visit, 4, FTW_PHYS | FTW_CHDIR))
		fail("nftw", dir);
	expect("open", ENOENT, below("after-nftw"));
	open_wanting("after-nftw", O_RDONLY, ENOENT);
	walk();
	expect("open", ENOENT, below("after-fts"));
	open_wanting("after-fts", O_RDONLY, ENOENT);
	leave();
	/* The daemon lives on for a moment. */
	usleep(100000);
	printf("only %s\n", dir);
	return 0;
}
