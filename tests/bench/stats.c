/* Looks at each PATH, COUNT times: what redirecting a path costs. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int main(int argc, char **argv)
{
	long count = argc > 2 ? atol(argv[1]) : 0;
	struct stat st;

	if (count <= 0) {
		fprintf(stderr, "usage: stats COUNT PATH...\n");
		return 2;
	}
	for (long i = 0; i < count; i++)
		for (int path = 2; path < argc; path++)
			if (stat(argv[path], &st) != 0)
				return 1;
	return 0;
}
