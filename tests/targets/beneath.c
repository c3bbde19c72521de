/*
 * beneath DIR: functions that look at more than what they are asked for, inside of libc: realpath
 * asks of directories that a name leads out of again, fchmodat and lchmod open what they are not to
 * follow. DIR is made by the caller, empty and without a symlink above it.
 */
#include <gnu/libc-version.h>
#include <limits.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "tests/targets/expect.h"

static const char *dir;

static const char *below(const char *name)
{
	static char path[2][512];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void made(const char *name, bool folder)
{
	const char *path = below(name);
	int fd;

	if (folder ? mkdir(path, 0700) : (fd = open(path, O_WRONLY | O_CREAT, 0600)) < 0)
		fail("make", path);
	if (!folder)
		close(fd);
}

static void real_path(const char *name, const char *real)
{
	char found[PATH_MAX];

	if (real ? !realpath(below(name), found) || strcmp(found, below(real))
		 : realpath(below(name), found) != NULL)
		fail("realpath", below(name));
}

static void real_paths(void)
{
	made("out", true);
	made("out/of", true);
	made("back", true);
	made("slash", true);
	made("into", true);
	made("plain", false);
	if (symlink("out/of", below("link")))
		fail("symlink", dir);
	expect("stat", 0, below("out/of"));
	real_path("out/of/../../plain", "plain");
	real_path("link/../../plain", "plain");
	expect("stat", 0, below("back"));
	real_path("back/./..//plain", "plain");
	expect("stat", 0, below("slash"));
	real_path("slash//", "slash");
	/* In vain, and it looked all the same. */
	expect("stat", 0, below("into"));
	real_path("into/../none/../plain", NULL);
}

static void modes(void)
{
	int minor = atoi(strchr(gnu_get_libc_version(), '.') + 1);
	int at = open(dir, O_RDONLY | O_DIRECTORY);

	made("file", false);
	made("other", false);
	/* Later ones leave it to the kernel, where that can. */
	if (minor >= 32 && minor < 39) {
		expect("open", 0, below("file"));
		expect("open", 0, below("other"));
		expect("open", ENOENT, below("nothing"));
	}
	expect("write", 0, below("file"));
	if (at < 0 || (fchmodat(at, "file", 0640, AT_SYMLINK_NOFOLLOW) && errno != EOPNOTSUPP))
		fail("fchmodat", below("file"));
	if (!fchmodat(at, "nothing", 0640, AT_SYMLINK_NOFOLLOW))
		fail("fchmodat was to fail", dir);
	if (lchmod(below("other"), 0640) && errno != EOPNOTSUPP && errno != ENOSYS)
		fail("lchmod", below("other"));
	close(at);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	dir = argv[1];
	real_paths();
	modes();
	return 0;
}
