/*
 * deep DIR: goes down into DIR, further than any name can tell, names files from there, and comes
 * back. What it did down there has no name, and must be told by none; what it does afterwards has
 * one. DIR is made by the caller, empty and without a symlink above it.
 */
#include <limits.h>
#include <sys/stat.h>

#include "tests/targets/expect.h"

#define STEP 200

static void make(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0)
		fail("make", name);
	close(fd);
}

int main(int argc, char **argv)
{
	char down[STEP + 1], path[PATH_MAX];
	struct stat st;
	int top, bottom;

	if (argc != 2 || chdir(argv[1]) < 0 || (top = open(".", O_RDONLY | O_CLOEXEC)) < 0)
		fail("enter", argv[1]);
	memset(down, 'd', STEP);
	down[STEP] = '\0';
	for (int i = 0; i < PATH_MAX / STEP + 2; i++)
		if (mkdir(down, 0700) < 0 || chdir(down) < 0)
			fail("go down", down);
	make(AT_FDCWD, "lost");
	if (stat("lost", &st) < 0)
		fail("stat", "lost");
	bottom = open(".", O_RDONLY | O_CLOEXEC);
	if (bottom < 0 || fchdir(top) < 0)
		fail("come back", argv[1]);
	make(bottom, "beneath");
	make(AT_FDCWD, "found");
	snprintf(path, sizeof(path), "%s/found", argv[1]);
	expect("write", 0, path);
	printf("absent %s/lost\nabsent %s/beneath\n", argv[1], argv[1]);
	return 0;
}
