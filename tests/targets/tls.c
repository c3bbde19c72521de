// libs: -lpthread
/*
 * tls OPENS DIR: a program whose library, this same file built with -DLIBRARY -shared, has 64 KiB
 * of static TLS; without that library it is a program like any other. Uses the room from threads of
 * 16 KiB of stack, where those can be had at all, and execs OPENS.
 */
#ifdef LIBRARY

#ifndef ROOM
#define ROOM 65536
#endif

__thread char room[ROOM] __attribute__((tls_model("initial-exec")));

char *tls_room(unsigned long *ret_size)
{
	*ret_size = sizeof(room);
	return room;
}

#else

#include <pthread.h>

#include "tests/targets/expect.h"

char *tls_room(unsigned long *ret_size) __attribute__((weak));

static void *fill(void *unused)
{
	unsigned long size = 0;
	char *room = tls_room ? tls_room(&size) : NULL;

	for (unsigned long i = 0; i < size; i++)
		if (room[i])
			fail("room is not zero", "");
	if (room)
		memset(room, 0x5a, size);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;
	char name[256];

	if (argc != 3)
		return 2;
	fill(NULL);
	if (pthread_create(&thread, NULL, fill, NULL))
		fail("pthread_create", "");
	pthread_join(thread, NULL);
	printf("library: %s\n", tls_room ? "yes" : "no");
	fflush(stdout);
	open_expecting(missing_name(name, argv[2], "tls", 0), ENOENT);
	expect("exec", 0, argv[1]);
	execl(argv[1], "opens", "-2", missing_name(name, argv[2], "image", 0), (char *)NULL);
	return 1;
}

#endif
