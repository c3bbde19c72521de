/*
 * moves DIR PROGRAM: changes its directory past libc, opens a file there, and becomes PROGRAM.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/targets/raw_call.h"

int main(int argc, char **argv)
{
	if (argc != 3 || raw(SYS_chdir, (long)argv[1], 0, 0, 0, 0))
		return 2;
	(void)!open("none", O_RDONLY); /* it is not there */
	execl(argv[2], argv[2], (char *)NULL);
	perror(argv[2]);
	return 1;
}
