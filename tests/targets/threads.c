// libs: -lpthread
/*
 * threads COUNT STACK DIR: COUNT threads at once, each with STACK bytes of stack (0: the default),
 * each opening names of its own and one that is the same for all.
 */
#include <pthread.h>

#include "tests/targets/expect.h"

#define OPENS 50

static const char *dir;
static pthread_barrier_t together;

static void *work(void *arg)
{
	unsigned long base = (unsigned long)arg * OPENS;
	char name[256];

	pthread_barrier_wait(&together);
	for (unsigned long i = 0; i < OPENS; i++) {
		open_wanting(missing_name(name, dir, "thread", base + i), O_RDONLY, ENOENT);
		open_wanting(missing_name(name, dir, "common", 0), O_RDONLY, ENOENT);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long count = argc == 4 ? strtoul(argv[1], NULL, 10) : 0;
	pthread_t *threads = calloc(count + 1, sizeof(*threads));
	pthread_attr_t attr;
	char name[256];

	if (!count || !threads)
		return 2;
	dir = argv[3];
	for (unsigned long i = 0; i < count * OPENS; i++)
		expect_count("open", ENOENT, 1, missing_name(name, dir, "thread", i));
	expect_count("open", ENOENT, count * OPENS, missing_name(name, dir, "common", 0));
	pthread_barrier_init(&together, NULL, (unsigned)count);
	pthread_attr_init(&attr);
	if (atoi(argv[2]) && (errno = pthread_attr_setstacksize(&attr, strtoul(argv[2], NULL, 10))))
		fail("pthread_attr_setstacksize", argv[2]);
	for (unsigned long i = 0; i < count; i++) {
		errno = pthread_create(&threads[i], &attr, work, (void *)i);
		if (errno)
			fail("pthread_create", argv[2]);
	}
	for (unsigned long i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	free(threads);
	return 0;
}
