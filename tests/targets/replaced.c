/*
 * replaced DIR: links that become others, regular files, or names below another directory, one
 * right after the other; prints "real NAME REAL" of each open (tests/conformance/22-paths.sh).
 */
#include <stdio.h>
#include <sys/stat.h>

#include "tests/targets/expect.h"

static const char *dir;

static char *in_dir(char *ret, const char *name)
{
	(void)snprintf(ret, 4096, "%s/%s", dir, name);
	return ret;
}

static void touch(const char *name, int flags)
{
	char path[4096];
	int fd = open(in_dir(path, name), flags, 0644);

	if (fd < 0)
		fail("open", path);
	close(fd);
}

static void make_link(const char *target, const char *name)
{
	char path[4096];

	if (symlink(target, in_dir(path, name)))
		fail("symlink", path);
}

static void drop(const char *name)
{
	char path[4096];

	if (unlink(in_dir(path, name)))
		fail("unlink", path);
}

static void move(const char *from, const char *to)
{
	char a[4096], b[4096];

	if (rename(in_dir(a, from), in_dir(b, to)))
		fail("rename", a);
}

static void make_dir(const char *name)
{
	char path[4096];

	if (mkdir(in_dir(path, name), 0755))
		fail("mkdir", path);
}

static void read_as(const char *name, const char *real)
{
	touch(name, O_RDONLY);
	printf("real %s/%s %s/%s\n", dir, name, dir, real);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	dir = argv[1];
	for (const char *name = "a\0b\0c\0d\0"; *name; name += 2)
		touch(name, O_WRONLY | O_CREAT);
	/* One link after another of one name, and the first once more. */
	make_link("a", "link");
	read_as("link", "a");
	drop("link");
	make_link("b", "link");
	read_as("link", "b");
	drop("link");
	make_link("c", "link");
	read_as("link", "c");
	drop("link");
	/* A file of that name. */
	touch("link", O_WRONLY | O_CREAT);
	read_as("link", "link");
	drop("link");
	/* As `ln -sf` replaces a link. */
	make_link("a", "new");
	move("new", "current");
	read_as("current", "a");
	make_link("d", "new");
	move("new", "current");
	read_as("current", "d");
	drop("current");
	/* Below a directory that has another name by then. */
	make_dir("under");
	make_link("../a", "under/link");
	read_as("under/link", "a");
	move("under", "over");
	make_dir("under");
	touch("under/link", O_WRONLY | O_CREAT);
	read_as("under/link", "under/link");
	read_as("over/link", "a");
	return 0;
}
