/*
 * descriptors closefrom|close_range|loop|dup2 DIR: closes, or overwrites, every descriptor that the
 * recorder might have kept, and opens on. Enough names are opened to need fresh room in the log
 * after that. Ends with the descriptors that it has, which must be those of an untraced run.
 */
#include <dirent.h>
#include <linux/close_range.h>

#include "tests/targets/expect.h"

/* One stays free of those that a user has by default, or nothing could be opened any more. */
#define TAKEN_MOST 1023

static void take_away(const char *how)
{
	if (!strcmp(how, "closefrom")) {
		closefrom(3);
	} else if (!strcmp(how, "close_range")) {
		close_range(3, ~0U, 0);
	} else if (!strcmp(how, "loop")) {
		for (int fd = 3; fd < 1024; fd++)
			close(fd);
	} else {
		for (int fd = 3; fd < TAKEN_MOST; fd++)
			dup2(2, fd);
	}
}

static void list(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int open_ones = 0;

	if (!dir)
		fail("opendir", "/proc/self/fd");
	while ((entry = readdir(dir)))
		open_ones += entry->d_name[0] != '.';
	printf("descriptors: %d, the next is %d\n", open_ones, dirfd(dir));
	closedir(dir);
}

int main(int argc, char **argv)
{
	char name[256];

	if (argc != 3)
		return 2;
	for (unsigned long i = 0; i < 3000; i++)
		expect("open", ENOENT, missing_name(name, argv[2], argv[1], i));
	for (unsigned long i = 0; i < 3000; i++) {
		if (i % 100 == 10)
			take_away(argv[1]);
		open_wanting(missing_name(name, argv[2], argv[1], i), O_RDONLY, ENOENT);
	}
	closefrom(3);
	list();
	return 0;
}
