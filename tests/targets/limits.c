/*
 * limits as|fsize|nofile|stack|nproc OPENS DIR: takes away nearly all of one resource, opens more
 * than the log's piece at hand has room for, and execs OPENS under the same limit. Everything must
 * be in the trace.
 */
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/targets/expect.h"

static unsigned long used_bytes(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (!f || fscanf(f, "%lu", &pages) != 1)
		fail("read", "/proc/self/statm");
	fclose(f);
	return pages * 4096;
}

static void limit(int what, rlim_t value)
{
	struct rlimit lim = {value, value};

	if (setrlimit(what, &lim))
		fail("setrlimit", "");
}

static void take_away(const char *what)
{
	if (!strcmp(what, "as")) {
		/* Four MB are left: enough for opens, and for a small program to start. */
		limit(RLIMIT_AS, used_bytes() + (4 << 20));
	} else if (!strcmp(what, "fsize")) {
		limit(RLIMIT_FSIZE, 0);
	} else if (!strcmp(what, "nofile")) {
		limit(RLIMIT_NOFILE, 4);
	} else if (!strcmp(what, "no-descriptor")) {
		limit(RLIMIT_NOFILE, 3);
	} else if (!strcmp(what, "stack")) {
		limit(RLIMIT_STACK, 128 << 10);
	} else {
		limit(RLIMIT_NPROC, 1);
	}
}

int main(int argc, char **argv)
{
	char name[256];
	bool none;

	if (argc != 4)
		return 2;
	none = !strcmp(argv[1], "no-descriptor");
	for (unsigned long i = 0; i < (none ? 20 : 3000); i++)
		expect("open", none ? EMFILE : ENOENT, missing_name(name, argv[3], argv[1], i));
	if (none)
		printf("may-lose\n");
	else
		expect("exec", 0, argv[2]);
	fflush(stdout);
	signal(SIGXFSZ, SIG_DFL);
	take_away(argv[1]);
	for (unsigned long i = 0; i < 3000; i++)
		open_wanting(missing_name(name, argv[3], argv[1], i), O_RDONLY,
			     none ? EMFILE : ENOENT);
	if (none)
		return 0;
	execl(argv[2], "opens", "-2", missing_name(name, argv[3], "image", 0), (char *)NULL);
	fail("exec", argv[2]);
	return 1;
}
