// cflags: -shared -fPIC
/*
 * A user's own module, to be given as LD_PRELOAD (it changes what getuid says, and counts opens
 * through the next definition) or as LD_AUDIT (it counts the objects loaded). What it counted it
 * says at the end.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdarg.h>

#include "tests/targets/expect.h"

static int opened, loaded;

uid_t getuid(void)
{
	return 4711;
}

int open(const char *path, int flags, ...)
{
	int (*next)(const char *, int, ...) =
		(int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
	va_list args;
	mode_t mode;

	va_start(args, flags);
	mode = va_arg(args, mode_t);
	va_end(args);
	opened++;
	return next(path, flags, mode);
}

unsigned la_version(unsigned offered)
{
	return offered;
}

unsigned la_objopen(struct link_map *map, Lmid_t ns, uintptr_t *cookie)
{
	(void)ns;
	(void)cookie;
	/* The tracer's own modules are no business of the program's. */
	loaded += !strstr(map->l_name, "sidebundle");
	return 0;
}

__attribute__((destructor)) static void tell(void)
{
	if (getenv("USER_MODULE_TELLS"))
		dprintf(2, "user module: %d opened, %d loaded\n", opened, loaded);
}
