/* Where execvp and its like look: the libc's own search, with its own idea of which error counts.
 */
#include <errno.h>
#include <linux/limits.h>

#include "preload/exec.h"
#include "preload/recorder.h"
#include "preload/str.h"

#define GLIBC_DEFAULT "/bin:/usr/bin"
#define MUSL_DEFAULT  "/usr/local/bin:/bin:/usr/bin"

extern char **__environ __attribute__((weak, visibility("default")));

char **sb_environ(void)
{
	return &__environ ? __environ : NULL;
}

const char *sb_getenv(const char *name_and_equals)
{
	for (char **e = sb_environ(); e && *e; e++)
		if (sb_starts(*e, name_and_equals))
			return *e + sb_strlen(name_and_equals);
	return NULL;
}

int sb_glibc_minor(void)
{
	static int known; /* and one more; 0 not asked yet */

	if (!known) {
		const char *(*version)(void) = sb_next("gnu_get_libc_version");
		const char *p = version ? sb_strchr(version(), '.') : NULL;
		int minor = 0;

		for (p = p ? p + 1 : ""; *p >= '0' && *p <= '9'; p++)
			minor = minor * 10 + (*p - '0');
		known = minor + 1;
	}
	return known - 1;
}

bool sb_is_glibc(void)
{
	return sb_glibc_minor() > 0;
}

/* After these another directory may still have it. */
static bool goes_on(int error, bool glibc)
{
	switch (error) {
	case EACCES:
	case ENOENT:
	case ENOTDIR:
		return true;
	case ESTALE:
	case ENODEV:
	case ETIMEDOUT:
		return glibc;
	default:
		return false;
	}
}

int sb_path_walk(const char *file, sb_path_attempt *attempt, void *context)
{
	bool glibc = sb_is_glibc(), denied = false;
	const char *path = sb_getenv("PATH=");
	size_t file_len = sb_strnlen(file, NAME_MAX + 1);
	const char *end;
	char *candidate;
	size_t room;

	if (!*file)
		return ENOENT;
	if (sb_strchr(file, '/'))
		return attempt(file, context);
	if (file_len > NAME_MAX)
		return ENAMETOOLONG;
	path = path ? path : glibc ? GLIBC_DEFAULT : MUSL_DEFAULT;
	room = sb_strnlen(path, PATH_MAX - 1) + file_len + 2;
	candidate = __builtin_alloca(room);
	for (;; path = end + 1) {
		size_t len, at = 0;
		int error;

		for (end = path; *end && *end != ':';)
			end++;
		len = (size_t)(end - path);
		if (len + file_len + 2 <= room) {
			candidate[0] = 0;
			(void)sb_put(candidate, room, &at, path, len);
			if (len)
				(void)sb_puts(candidate, room, &at, "/");
			(void)sb_puts(candidate, room, &at, file);
			error = attempt(candidate, context);
			if (!goes_on(error, glibc))
				return error;
			denied |= error == EACCES;
		}
		if (!*end)
			return denied ? EACCES : ENOENT;
	}
}
