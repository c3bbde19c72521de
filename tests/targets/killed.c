/* killed COUNT DIR: kills itself with SIGKILL right after COUNT opens. All of them must be in the
 * trace. */
#include <signal.h>

#include "tests/targets/expect.h"

int main(int argc, char **argv)
{
	unsigned long count = argc > 2 ? strtoul(argv[1], NULL, 10) : 0;
	char name[256];

	for (unsigned long i = 0; i < count; i++)
		expect("open", ENOENT, missing_name(name, argv[2], "k", i));
	for (unsigned long i = 0; i < count; i++)
		open_wanting(missing_name(name, argv[2], "k", i), O_RDONLY, ENOENT);
	kill(getpid(), SIGKILL);
	return 1;
}
