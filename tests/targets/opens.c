/*
 * opens [-ERRNO] PATH...: opens each for reading; after -2, paths that are expected to fail with
 * errno 2, after -0 ones that work again. What other targets exec.
 */
#include "tests/targets/expect.h"

int main(int argc, char **argv)
{
	int outcome = 0;

	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-')
			outcome = atoi(argv[i] + 1);
		else
			open_expecting(argv[i], outcome);
	}
	return 0;
}
