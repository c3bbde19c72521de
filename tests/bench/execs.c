/* execs COUNT PROGRAM: runs PROGRAM so many times, one after another. */
#include <err.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv)
{
	if (argc != 3)
		errx(2, "usage: execs COUNT PROGRAM");
	for (long i = 0, count = atol(argv[1]); i < count; i++) {
		pid_t pid;

		if (posix_spawn(&pid, argv[2], NULL, NULL, argv + 2, environ) != 0 ||
		    waitpid(pid, NULL, 0) < 0)
			errx(1, "%s", argv[2]);
	}
	return 0;
}
