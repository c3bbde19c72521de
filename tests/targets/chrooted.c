/*
 * chrooted DIR PROGRAM: needs CAP_SYS_CHROOT. Opens inside of a root of its own, more than the
 * log's piece at hand has room for, and starts PROGRAM (a name inside of it, static), which the
 * tracer cannot follow. Paths are told as the host sees them.
 */
#include <sys/wait.h>

#include "tests/targets/expect.h"

int main(int argc, char **argv)
{
	char inside[256], outside[256];
	int status;
	pid_t child;

	if (argc != 3)
		return 2;
	open_expecting(argv[1], 0);
	for (unsigned long i = 0; i < 2000; i++)
		expect("open", ENOENT, missing_name(outside, argv[1], "in", i));
	snprintf(outside, sizeof(outside), "%s/data", argv[1]);
	expect("open", 0, outside);
	if (chroot(argv[1]) || chdir("/"))
		fail("chroot", argv[1]);
	for (unsigned long i = 0; i < 2000; i++)
		open_wanting(missing_name(inside, "", "in", i), O_RDONLY, ENOENT);
	open_wanting("data", O_RDONLY, 0);
	child = fork();
	if (!child) {
		execl(argv[2], argv[2], (char *)NULL);
		_exit(1);
	}
	if (waitpid(child, &status, 0) != child)
		fail("waitpid", argv[2]);
	printf("status of %s: %d\n", argv[2], status);
	return 0;
}
