/*
 * storm COUNT AT-ONCE OPENS DIR: COUNT children, AT-ONCE at a time; each opens a name of its own,
 * and every other one then becomes OPENS and opens another.
 */
#include <sys/wait.h>

#include "tests/targets/expect.h"

static void child(unsigned long n, const char *opens, const char *dir)
{
	char name[256];

	open_expecting(missing_name(name, dir, "child", n), ENOENT);
	if (n % 2)
		execl(opens, "opens", "-2", missing_name(name, dir, "image", n), (char *)NULL);
	_exit((int)(n % 2));
}

int main(int argc, char **argv)
{
	unsigned long count, at_once, running = 0;
	int status, bad = 0;

	if (argc != 5)
		return 2;
	count = strtoul(argv[1], NULL, 10);
	at_once = strtoul(argv[2], NULL, 10);
	for (unsigned long i = 0; i < count || running;) {
		if (i < count && running < at_once) {
			pid_t pid = fork();

			if (!pid)
				child(i, argv[3], argv[4]);
			if (pid > 0) {
				i++, running++;
				continue;
			}
			if (!running)
				fail("fork", argv[1]);
		}
		if (wait(&status) > 0)
			running--, bad |= status;
	}
	expect_count("exec", 0, count / 2, argv[3]);
	return bad != 0;
}
