// libs: tests/targets/every_call/open.c tests/targets/every_call/look.c
// libs: tests/targets/every_call/change.c tests/targets/every_call/number.c -ldl
/*
 * every_call DIR: calls every hooked function, with success and in vain, in the empty directory
 * DIR. stdout has what a trace must hold (tests/targets/expect.h); stderr how each call ended,
 * which must be the same traced and untraced. Built with musl too, and with -DOLD_GLIBC against a
 * libc from before glibc 2.33.
 */
#include "tests/targets/every_call/calls.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/targets/expect.h"

int at;
static char top[PATH_MAX];

static void want(const char *kind, int outcome, const char *path)
{
	char absolute[PATH_MAX + 256];

	if (*path != '/') {
		snprintf(absolute, sizeof(absolute), *path ? "%s/%s" : "%s", top, path);
		path = absolute;
	}
	expect(kind, outcome, path);
}

int said(const char *call, int outcome)
{
	fprintf(stderr, "%s: %d\n", call, outcome);
	return outcome;
}

void wanted(const char *kinds, int outcome, const char *path)
{
	char kind[16];

	for (int len; sscanf(kinds, " %15s%n", kind, &len) == 1; kinds += len)
		want(kind, outcome, path);
}

int closed(int fd)
{
	return fd < 0 || close(fd) < 0 ? errno : 0;
}

int fclosed(FILE *file)
{
	return !file || fclose(file) < 0 ? errno : 0;
}

int closed_dir(DIR *dir)
{
	return !dir || closedir(dir) < 0 ? errno : 0;
}

int told(long ret)
{
	return ret < 0 ? errno : 0;
}

int made(const void *ret)
{
	return ret ? 0 : errno;
}

/* What the calls find: file, link -> file, dangling -> gone, sub/inner; all in `top`. */
static void furnish(void)
{
	CALL(closed(creat("file", 0644)), "write", "file");
	CALL(told(symlink("file", "link")), "write", "link");
	CALL(told(symlink("gone", "dangling")), "write", "dangling");
	CALL(told(mkdir("sub", 0755)), "write", "sub");
	CALL(closed(open("sub/inner", O_CREAT | O_WRONLY, 0644)), "write", "sub/inner");
	at = open("sub", O_RDONLY | O_DIRECTORY);
	wanted("open", 0, "sub");
}

int main(int argc, char **argv)
{
	if (argc != 2 || chdir(argv[1]) < 0 || !getcwd(top, sizeof(top)))
		return 2;
	umask(022);
	printf("only %s\n", top);
	fflush(stdout);
	wanted("stat", 0, top);
	furnish();
	try_opens();
	try_streams();
	try_temporaries();
	try_looks();
	try_links();
	try_directories();
	try_names();
	try_nodes();
	try_changes();
	try_numbers();
	try_sockets();
	try_loads();
	try_moves();
	return 0;
}
