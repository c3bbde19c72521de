#include "shelf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int usage(void)
{
	fputs("usage: shelf FILE list | get KEY | set KEY VALUE | remove KEY\n", stderr);
	return 2;
}

static int run(struct shelf *s, const char *path, int argc, char **argv)
{
	const char *verb = argv[0], *value;

	if (strcmp(verb, "list") == 0 && argc == 1)
		return shelf_print(s, stdout) == 0 ? 0 : 1;
	if (strcmp(verb, "get") == 0 && argc == 2) {
		value = shelf_get(s, argv[1]);
		if (!value)
			return 1;
		return puts(value) == EOF;
	}
	if (strcmp(verb, "set") == 0 && argc == 3) {
		if (shelf_set(s, argv[1], argv[2]) == 0 && shelf_save(s, path) == 0)
			return 0;
	} else if (strcmp(verb, "remove") == 0 && argc == 2) {
		if (!shelf_remove(s, argv[1]))
			return 1;
		if (shelf_save(s, path) == 0)
			return 0;
	} else {
		return usage();
	}
	fprintf(stderr, "shelf: %s: %s\n", path, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	struct shelf s = {NULL, 0, 0};
	int rc;

	if (argc < 3)
		return usage();
	rc = shelf_load(&s, argv[1]);
	if (rc > 0)
		fprintf(stderr, "shelf: %s:%d: not understood\n", argv[1], rc);
	else if (rc < 0)
		fprintf(stderr, "shelf: %s: %s\n", argv[1], strerror(errno));
	rc = rc ? 1 : run(&s, argv[1], argc - 2, argv + 2);
	shelf_free(&s);
	return rc;
}
