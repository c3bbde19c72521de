/* bytes COUNT: writes a byte into a pipe and reads it again, COUNT times: calls that name no file.
 */
#include <err.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int ends[2];
	char byte = 'x';

	if (argc != 2)
		errx(2, "usage: bytes COUNT");
	if (pipe(ends) < 0)
		err(1, "pipe");
	for (long i = 0, count = atol(argv[1]); i < count; i++)
		if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
			err(1, "pipe");
	return 0;
}
