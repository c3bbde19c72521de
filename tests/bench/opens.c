/* opens COUNT DIR: opens, looks at, reads and closes files of DIR in turn, COUNT times. */
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	static char *names[1024];
	int found = 0;
	DIR *dir;

	if (argc != 3 || !(dir = opendir(argv[2])))
		errx(2, "usage: opens COUNT DIR");
	for (struct dirent *e; found < 1024 && (e = readdir(dir));)
		if (e->d_name[0] != '.' && asprintf(&names[found], "%s/%s", argv[2], e->d_name) > 0)
			found++;
	closedir(dir);
	for (long i = 0, count = atol(argv[1]); found && i < count; i++) {
		int fd = open(names[i % found], O_RDONLY | O_CLOEXEC);
		struct stat st;
		char block[512];

		if (fd < 0 || fstat(fd, &st) < 0 || read(fd, block, sizeof block) < 0)
			err(1, "%s", names[i % found]);
		close(fd);
	}
	return found == 0;
}
