/*
 * rooted DIR: needs CAP_SYS_CHROOT. Takes DIR/root for its root by a child that shares its memory
 * and its place, as Chromium's sandbox does. There is no /proc in it, and DIR/below is in reach by
 * a descriptor alone.
 */
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/targets/expect.h"

static char root[256];

static int take_root(void *arg)
{
	(void)arg;
	return chroot(root) || chdir("/");
}

static void expect_in(const char *dir, const char *kind, const char *name, int outcome)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	expect(kind, outcome, path);
}

int main(int argc, char **argv)
{
	static char stack[65536] __attribute__((aligned(16)));
	int status, below;
	struct stat st;
	pid_t child;

	if (argc != 2)
		return 2;
	snprintf(root, sizeof(root), "%s/below", argv[1]);
	below = open(root, O_RDONLY | O_DIRECTORY);
	snprintf(root, sizeof(root), "%s/root", argv[1]);
	child = clone(take_root, stack + sizeof(stack), CLONE_VM | CLONE_VFORK | CLONE_FS | SIGCHLD,
		      NULL);
	if (below < 0 || child < 0 || waitpid(child, &status, 0) != child || status)
		fail("chroot", root);
	open_wanting("/data", O_RDONLY, 0);
	expect_in(root, "open", "data", 0);
	if (openat(below, "file", O_RDONLY) < 0 || fstatat(below, "other", &st, 0) == 0)
		fail("openat", "file");
	expect_in(argv[1], "open", "below/file", 0);
	expect_in(argv[1], "stat", "below/other", ENOENT);
	if (openat(below, "new", O_WRONLY | O_CREAT, 0600) < 0 || unlinkat(below, "new", 0) < 0)
		fail("openat", "new");
	expect_in(argv[1], "write", "below/new", 0);
	return 0;
}
