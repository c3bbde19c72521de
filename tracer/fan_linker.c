/* Which of the files that the kernel opens for an exec is the program's dynamic linker. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tracer/fan_private.h"

/* Whether that name leads to the file, here or within the root that the process has by now. */
static bool leads_to(const char *named, const struct fan_seen *seen)
{
	char within[PATH_MAX];
	struct stat opened, found;

	if (fstat(seen->fd, &opened) < 0)
		return false;
	if (stat(named, &found) == 0 && found.st_dev == opened.st_dev &&
	    found.st_ino == opened.st_ino)
		return true;
	int n = snprintf(within, sizeof within, "/proc/%d/root/%s", (int)seen->process->pid, named);
	return n > 0 && (size_t)n < sizeof within && stat(within, &found) == 0 &&
	       found.st_dev == opened.st_dev && found.st_ino == opened.st_ino;
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

bool fan_is_linker(const struct fan_process *p, const struct fan_seen *seen)
{
	return p->named &&
	       (leads_to(p->named, seen) || strcmp(base_of(p->named), base_of(seen->path)) == 0);
}
