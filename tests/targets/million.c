/* million COUNT distinct|repeated DIR: COUNT opens, of as many names or of ten. */
#include "tests/targets/expect.h"

int main(int argc, char **argv)
{
	unsigned long count, names;
	char name[256];

	if (argc != 4)
		return 2;
	count = strtoul(argv[1], NULL, 10);
	names = strcmp(argv[2], "distinct") ? 10 : count;
	for (unsigned long i = 0; i < count; i++)
		open_wanting(missing_name(name, argv[3], "m", i % names), O_RDONLY, ENOENT);
	/* A million lines: not one write(2) each. */
	for (unsigned long i = 0; i < names; i++)
		printf("expect open %d %lu %s\n", ENOENT, count / names,
		       missing_name(name, argv[3], "m", i));
	return 0;
}
