/*
 * renames DIR: renames files, links and directories, and opens what their names mean before and
 * after. Prints "real NAME FILE" for what an open of NAME comes to.
 */
#include <err.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/targets/expect.h"

#define EXCHANGE 2

/* Both in the directory; NAME says nothing where it is opened by another one. */
static void looks(const char *dir, const char *as, const char *name, const char *file)
{
	char line[1024];
	size_t len =
		(size_t)snprintf(line, sizeof line, "real %s/%s %s/%s\n", dir, name, dir, file);
	int fd;

	say_flush(line, &len);
	fd = open(as, O_RDONLY);
	if (fd >= 0)
		close(fd);
}

static void must(int result, const char *what)
{
	if (result < 0)
		err(1, "%s", what);
}

static void make(const char *name)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);

	must(fd, name);
	close(fd);
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) < 0)
		errx(2, "usage: renames DIR");
	const char *d = argv[1];

	make("file");
	make("other");
	must(symlink("file", "link"), "link");
	looks(d, "link", "link", "file");
	/* A plain file in a link's place. */
	must(rename("other", "link"), "over a link");
	looks(d, "link", "link", "link");

	/* A plain file in the place of nothing, and of another. */
	looks(d, "fresh", "fresh", "fresh");
	must(rename("link", "fresh"), "a file");
	looks(d, "fresh", "fresh", "fresh");
	must(rename("fresh", "file"), "a file over a file");
	looks(d, "file", "file", "file");

	/* A link to where nothing was. */
	must(symlink("file", "before"), "before");
	looks(d, "before", "before", "file");
	looks(d, "after", "after", "after");
	must(rename("before", "after"), "a link");
	looks(d, "after", "after", "file");
	looks(d, "before", "before", "before");

	/* A directory, and the links in it; and whoever stands there. */
	must(mkdir("dir", 0700), "dir");
	must(symlink("../file", "dir/up"), "dir/up");
	make("dir/plain");
	looks(d, "dir/up", "dir/up", "file");
	must(chdir("dir"), "chdir");
	looks(d, "plain", "dir/plain", "dir/plain");
	must(rename("../dir", "../moved"), "a directory");
	looks(d, "plain", "moved/plain", "moved/plain");
	looks(d, "up", "moved/up", "file");
	looks(d, "../dir/up", "moved/../dir/up", "dir/up");
	must(chdir(".."), "chdir");

	/* One for the other. */
	must(mkdir("dir", 0700), "dir");
	make("dir/up");
	must((int)syscall(SYS_renameat2, AT_FDCWD, "dir", AT_FDCWD, "moved", EXCHANGE), "exchange");
	looks(d, "moved/up", "moved/up", "moved/up");
	looks(d, "dir/up", "dir/up", "file");
	return 0;
}
