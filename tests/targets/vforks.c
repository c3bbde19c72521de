// libs: -lpthread
/*
 * vforks PROGRAM: starts it a thousand times by vfork, with an environment of 20 KiB, from the
 * first thread and from others. What that leaves in the memory that a child shares with its parent
 * must not add up.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "tests/targets/expect.h"

#define EACH	250
#define THREADS 3

static char *environment[2501];
static const char *program;

/* Pages that hold something. */
static unsigned long resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	unsigned long pages = 0;

	if (!f || fscanf(f, "%*u %lu", &pages) != 1)
		fail("read", "/proc/self/statm");
	fclose(f);
	return pages;
}

static void *start_many(void *unused)
{
	char *const argv[] = {(char *)program, NULL};

	for (int i = 0; i < EACH; i++) {
		int status;
		pid_t child = vfork();

		if (!child) {
			/* One that fails first, as along PATH. */
			execve("/nowhere/program", argv, environment);
			execve(program, argv, environment);
			_exit(99);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status)
			fail("child", program);
	}
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	unsigned long before;

	if (argc != 2)
		return 2;
	program = argv[1];
	for (int i = 0; i < 2500; i++)
		environment[i] = (char *)"A=1";
	expect_count("exec", 0, EACH * (THREADS + 1), program);
	start_many(NULL);
	before = resident();
	for (int i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, start_many, NULL))
			fail("pthread_create", program);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	/* Stacks and the log's pieces; 750 environments would be 3,700. */
	if (resident() > before + 1500)
		fail("memory adds up", program);
	return 0;
}
