// libs: -lpthread
/*
 * takeover exec|exit OPENS DIR: threads that open while another one of them, which is not the
 * first, becomes OPENS or ends the process. What was opened before is in the trace; the new image
 * is its own.
 */
#include <pthread.h>

#include "tests/targets/expect.h"

#define THREADS 8
#define OPENS	25

static const char *dir;
static pthread_barrier_t done;

static void *open_on(void *arg)
{
	char name[256];

	for (unsigned long i = 0; i < OPENS; i++)
		open_wanting(missing_name(name, dir, "before", (unsigned long)arg * OPENS + i),
			     O_RDONLY, ENOENT);
	pthread_barrier_wait(&done);
	for (;;)
		open_wanting(missing_name(name, dir, "noise", 0), O_RDONLY, ENOENT);
}

static void *take_over(void *opens)
{
	char name[256];

	pthread_barrier_wait(&done);
	if (!opens)
		_exit(7);
	execl(opens, "opens", "-2", missing_name(name, dir, "image", 0), (char *)NULL);
	fail("exec", opens);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	char name[256];
	int execs;

	if (argc != 4)
		return 2;
	execs = !strcmp(argv[1], "exec");
	dir = argv[3];
	for (unsigned long i = 0; i < THREADS * OPENS; i++)
		expect_count("open", ENOENT, 1, missing_name(name, dir, "before", i));
	if (execs)
		expect("exec", 0, argv[2]);
	pthread_barrier_init(&done, NULL, THREADS + 1);
	for (unsigned long i = 0; i < THREADS; i++)
		if (pthread_create(&thread, NULL, open_on, (void *)i))
			fail("pthread_create", dir);
	if (pthread_create(&thread, NULL, take_over, execs ? argv[2] : NULL))
		fail("pthread_create", dir);
	pthread_join(thread, NULL);
	return 1;
}
