/*
 * paths DIR: names that break what was not written with care: newlines, bytes that are no UTF-8,
 * 4,095 bytes, links that turn in circles, descriptors instead of directories, a working directory
 * that is gone. DIR is made by the caller, empty and without a symlink above it.
 */
#include <sys/stat.h>

#include "tests/targets/expect.h"

static void made(const char *dir, const char *name)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	expect("write", 0, path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		fail("make", path);
	close(fd);
	open_expecting(path, 0);
	strcat(path, "-not");
	open_expecting(path, ENOENT);
}

/* PATH_MAX counts the NUL: 4,095 bytes are the longest name that the kernel takes. */
static void longest(const char *dir)
{
	char path[4200];
	size_t len = (size_t)snprintf(path, sizeof(path), "%s", dir);

	while (len + 102 < 4095) {
		len += (size_t)sprintf(path + len, "/%0100d", 7);
		expect("write", 0, path);
		if (mkdir(path, 0700))
			fail("mkdir", path);
	}
	path[len++] = '/';
	while (len < 4095)
		path[len++] = 'x';
	path[len] = '\0';
	open_expecting(path, ENOENT);
	expect("write", 0, path);
	open_wanting(path, O_WRONLY | O_CREAT, 0);
	open_expecting(path, 0);
	strcat(path, "y");
	open_wanting(path, O_RDONLY, ENAMETOOLONG);
}

static void relative(const char *dir)
{
	char path[256];
	int at = open(dir, O_RDONLY | O_DIRECTORY), fd;

	expect("open", 0, dir);
	snprintf(path, sizeof(path), "%s/beside", dir);
	expect("write", 0, path);
	fd = openat(at, "beside", O_WRONLY | O_CREAT, 0600);
	if (at < 0 || fd < 0)
		fail("openat", path);
	close(fd);
	expect("open", 0, path);
	/* The directory's descriptor moves to a number that was something else before. */
	if (dup2(at, fd) != fd)
		fail("dup2", path);
	close(openat(fd, "beside", O_RDONLY));
	close(at);
	snprintf(path, sizeof(path), "%s/moved-in", dir);
	if (mkdir(path, 0700) || chdir(path))
		fail("chdir", path);
	snprintf(path, sizeof(path), "%s/moved-in/here", dir);
	expect("open", ENOENT, path);
	open_wanting("here", O_RDONLY, ENOENT);
	if (fchdir(fd))
		fail("fchdir", dir);
	snprintf(path, sizeof(path), "%s/here", dir);
	expect("open", ENOENT, path);
	open_wanting("here", O_RDONLY, ENOENT);
	expect("stat", 0, dir);
	if (access(".", F_OK))
		fail("access", dir);
	close(fd);
}

static void circles(const char *dir)
{
	char path[256], target[256];

	snprintf(path, sizeof(path), "%s/circle", dir);
	if (symlink("circle", path))
		fail("symlink", path);
	open_expecting(path, ELOOP);
	snprintf(path, sizeof(path), "%s/dangling", dir);
	if (symlink("/nowhere/at/all", path))
		fail("symlink", path);
	open_expecting(path, ENOENT);
	expect("readlink", 0, path);
	if (readlink(path, target, sizeof(target)) < 0)
		fail("readlink", path);
	strcat(path, "/below");
	open_expecting(path, ENOENT);
	snprintf(path, sizeof(path), "%s/plain/below", dir);
	open_expecting(path, ENOTDIR);
}

/* What is no name at all must fail as it always did, and is nothing to record. */
static void nonsense(void)
{
	const char *volatile bad = (const char *)8;
	char *nobody[] = {NULL};
	struct stat st;

	if (open("", O_RDONLY) != -1 || errno != ENOENT)
		fail("open", "(empty)");
	if (open(bad, O_RDONLY) != -1 || errno != EFAULT)
		fail("open", "(bad pointer)");
	if (stat(bad, &st) != -1 || errno != EFAULT)
		fail("stat", "(bad pointer)");
	if (access(bad, F_OK) != -1 || errno != EFAULT)
		fail("access", "(bad pointer)");
	if (openat(-5, "x", O_RDONLY) != -1 || errno != EBADF)
		fail("openat", "(bad descriptor)");
	if (openat(999, "x", O_RDONLY) != -1 || errno != EBADF)
		fail("openat", "(closed descriptor)");
	if (rename(bad, "/x") != -1 || errno != EFAULT)
		fail("rename", "(bad pointer)");
	if (execv(bad, nobody) != -1 || errno != EFAULT)
		fail("execv", "(bad pointer)");
}

static void gone(const char *dir)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/gone", dir);
	if (mkdir(path, 0700) || chdir(path) || rmdir(path))
		fail("rmdir", path);
	open_wanting("anything", O_RDONLY, ENOENT);
	open_wanting("../anything", O_RDONLY, ENOENT);
	snprintf(path, sizeof(path), "%s/plain", dir);
	open_expecting(path, 0);
	if (getcwd(path, sizeof(path)) || errno != ENOENT)
		fail("getcwd", "(deleted)");
}

int main(int argc, char **argv)
{
	static const char *const names[] = {
		"plain",	"with space",  "new\nline",   "\n",	    "tab\tand\\back",
		"\xff\xfe\x80", "caf\xc3\xa9", "caf\xe9",     "\"quoted\"", "\x01\x1b[31m",
		"%s%n",		"trailing.",   "\xed\xa0\x80"};

	if (argc != 2)
		return 2;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		made(argv[1], names[i]);
	relative(argv[1]);
	circles(argv[1]);
	nonsense();
	longest(argv[1]);
	gone(argv[1]);
	return 0;
}
