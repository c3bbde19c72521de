/*
 * Directories of a replay that this machine does not have: the launcher made copies that may be
 * written to, below one directory (the layer), and told us so. What names something in them is led
 * there, changes included. They begin empty of everything but what the payload has.
 *
 * What the launcher and we tell a start about to be executed is the last variable of its
 * environment, which it takes out before anybody looks:
 *
 *   SIDEBUNDLE_START=PROGRAM\1[LAYER\1DIR[\1DIR...]]
 *
 * PROGRAM, where not empty, is what to start, by its real path: it has no place in ROOT. Or it is
 * ':' and the process's name, where what is started has another one, as links and scripts do.
 */
#include <asm/unistd.h>
#include <linux/fcntl.h>

#include "preload/arch.h"
#include "preload/str.h"
#include "redirect/redirect.h"

static char text[SB_TRANSIT_MAX];

char *sb_transit_take(char *variable)
{
	static const char name[] = SB_TRANSIT_NAME "=";
	size_t at = 0, n;
	char *s;

	if (!sb_starts(variable, name) ||
	    !sb_puts(text, sizeof(text), &at, variable + sizeof(name) - 1))
		return NULL;
	for (n = sb_strlen(variable); n; n--)
		variable[n - 1] = 0; /* it is in /proc/self/environ, too */
	for (s = text; *s && *s != 1; s++)
		;
	if (*s)
		*s++ = 0;
	sb_here.layer_text = s;
	return text;
}

/* Nothing of it is ever looked at; its name stands in /proc/PID/maps. */
static void map_used(void)
{
	char path[SB_PATH_MAX];
	size_t at = 0;
	long fd;

	if (!sb_puts(path, sizeof(path), &at, sb_here.layer) ||
	    !sb_puts(path, sizeof(path), &at, "/" SB_LAYER_USED))
		return;
	fd = sb_arch_syscall(__NR_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	if (fd < 0)
		return;
	(void)sb_arch_syscall(__NR_mmap, 0, 1, 0 /* no rights */, 2 /* private */, fd, 0);
	(void)sb_arch_syscall(__NR_close, fd, 0, 0, 0, 0, 0);
}

void sb_layer_begin(void)
{
	static char names[SB_TRANSIT_MAX];
	size_t at = 0;
	char *s = names;

	if (!*sb_here.layer_text || !sb_puts(names, sizeof(names), &at, sb_here.layer_text))
		return;
	sb_here.layer = s;
	for (; *s; s++) {
		if (*s != 1)
			continue;
		*s = 0;
		if (sb_here.dir_count < SB_DIRS_MOST)
			sb_here.dirs[sb_here.dir_count++] = s + 1;
	}
	sb_here.layer_len = sb_strlen(sb_here.layer);
	map_used();
}

/* A name that begins below a directory may climb out of it again: what lies beside it is no copy.
 */
static bool climbs(const char *rest)
{
	size_t depth = 0;

	while (*rest) {
		size_t len = 0;

		while (*rest == '/')
			rest++;
		while (rest[len] && rest[len] != '/')
			len++;
		if (len == 2 && rest[0] == '.' && rest[1] == '.') {
			if (!depth)
				return true;
			depth--;
		} else if (len > 1 || (len == 1 && rest[0] != '.')) {
			depth++;
		}
		rest += len;
	}
	return false;
}

bool sb_is_layered(const char *path)
{
	for (size_t i = 0; i < sb_here.dir_count; i++)
		if (sb_below(path, sb_here.dirs[i]) && !climbs(path + sb_strlen(sb_here.dirs[i])))
			return true;
	return false;
}

const char *sb_layer_path(const char *path, char *buf, size_t size)
{
	size_t at = 0;

	return sb_puts(buf, size, &at, sb_here.layer) && sb_puts(buf, size, &at, path) ? buf : NULL;
}

bool sb_transit_make(const char *program, const char *name, char *buf, size_t size)
{
	size_t at = 0;

	return sb_puts(buf, size, &at, SB_TRANSIT_NAME "=") &&
	       sb_puts(buf, size, &at,
		       program ? program
		       : name  ? ":"
			       : "") &&
	       sb_puts(buf, size, &at, !program && name ? name : "") &&
	       sb_puts(buf, size, &at, "\1") &&
	       sb_puts(buf, size, &at, sb_here.layer ? sb_here.layer_text : "");
}
