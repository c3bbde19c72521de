/*
 * Names that begin at a directory: a descriptor's, or the current one. Where that is one of the
 * payload's, the kernel would follow links that begin with '/' out of it; once the program has such
 * a directory (sb_here.inside; entered: as its current one, which is asked for with every name),
 * these names are looked up from the root, as the program knows it.
 */
#include <asm/unistd.h>
#include <linux/fcntl.h>

#include "preload/arch.h"
#include "preload/str.h"
#include "redirect/redirect.h"

size_t sb_name_of(long dirfd, char *buf, size_t size)
{
	char link[40];
	size_t at = 0;
	long n;

	if ((int)dirfd == AT_FDCWD) {
		n = sb_arch_syscall(__NR_getcwd, (long)buf, (long)size, 0, 0, 0, 0) - 1;
	} else {
		if ((int)dirfd < 0)
			return 0;
		(void)sb_puts(link, sizeof(link), &at, "/proc/self/fd/");
		(void)sb_put_number(link, sizeof(link), &at, (uint64_t)dirfd, 10);
		n = sb_arch_syscall(__NR_readlinkat, AT_FDCWD, (long)link, (long)buf,
				    (long)size - 1, 0, 0);
	}
	if (n <= 0 || buf[0] != '/')
		return 0;
	buf[n] = 0;
	return (size_t)n;
}

/* Where copies that may be written to are, the kernel does as it should. */
static const char *known_name(const char *real)
{
	const char *known = sb_strip(real);

	return known && sb_here.layer && sb_is_layered(known) ? NULL : known;
}

/* Of a copy only what is named as lying beside it, and which the copy cannot have. */
const char *sb_from_root(long dirfd, const char *path, bool ours, char *buf, size_t size)
{
	size_t at = sb_name_of(dirfd, buf, size);
	const char *known = at ? sb_strip(buf) : NULL;
	bool copy = known && sb_here.layer && sb_is_layered(known);

	if (!at || ours != (known && !copy) || (at > 1 && !sb_puts(buf, size, &at, "/")) ||
	    !sb_puts(buf, size, &at, path))
		return NULL;
	known = sb_strip(buf);
	if (copy && sb_is_layered(known))
		return NULL;
	return known ? known : buf;
}

bool sb_may_be_inside(long dirfd)
{
	return (int)dirfd == AT_FDCWD ? sb_here.entered : sb_here.inside;
}

bool sb_is_inside(long dirfd, const char *path)
{
	char buf[SB_PATH_MAX];

	return sb_may_be_inside(dirfd) && path && path[0] && path[0] != '/' &&
	       sb_name_of(dirfd, buf, sizeof(buf)) && known_name(buf);
}
