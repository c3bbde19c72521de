/*
 * inside_libc DIRECTORY PROGRAM: lists the directory, asks for the real path of each of its files,
 * and starts the program. libc does so by calls of its own, which no name of a function stands for.
 */
#include <dirent.h>
#include <err.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

extern char **environ;

int main(int argc, char **argv)
{
	struct dirent *entry;
	char name[PATH_MAX], real[PATH_MAX];
	DIR *dir = argc == 3 ? opendir(argv[1]) : NULL;
	pid_t pid;

	if (!dir)
		errx(2, "usage: inside_libc DIRECTORY PROGRAM");
	while ((entry = readdir(dir))) {
		(void)snprintf(name, sizeof name, "%s/%s", argv[1], entry->d_name);
		if (entry->d_name[0] == '.')
			continue;
		if (!realpath(name, real))
			err(1, "%s", name);
	}
	closedir(dir);
	if (posix_spawn(&pid, argv[2], NULL, NULL, argv + 2, environ) != 0 ||
	    waitpid(pid, NULL, 0) != pid)
		errx(1, "%s", argv[2]);
	return 0;
}
