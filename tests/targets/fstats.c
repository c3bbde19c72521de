/*
 * fstats COUNT FILE: asks COUNT times for what its standard input is, by its descriptor; and then
 * what a descriptor comes to that there is not, and a name of its own that is empty.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct stat st, same;
	int fd;

	if (argc != 3)
		errx(2, "usage: fstats COUNT FILE");
	for (int i = atoi(argv[1]); i > 0; i--)
		if (fstat(STDIN_FILENO, &st) < 0)
			err(1, "fstat");
	if (fstat(-1, &st) == 0 || errno != EBADF || fstat(999, &st) == 0 || errno != EBADF)
		errx(1, "there is such a descriptor");
	fd = open(argv[2], O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0 || fstatat(fd, "", &same, AT_EMPTY_PATH) < 0)
		err(1, "%s", argv[2]);
	if (st.st_ino != same.st_ino || st.st_size != same.st_size)
		errx(1, "they are two files");
	if (fstatat(AT_FDCWD, "", &same, 0) == 0 || errno != ENOENT)
		errx(1, "there is a file without a name");
	return 0;
}
