/* The note in a trace that its writer was killed: left by somebody else. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tracer/trace.h"

/* Where the last line break before `before` is; -1: there is none, or it cannot be read. */
static off_t break_before(int fd, off_t before)
{
	char piece[4096];

	while (before > 0) {
		size_t size = before < (off_t)sizeof piece ? (size_t)before : sizeof piece;
		off_t at = before - (off_t)size;

		if (pread(fd, piece, size, at) != (ssize_t)size)
			return -1;
		const char *found = memrchr(piece, '\n', size);
		if (found)
			return at + (found - piece);
		before = at;
	}
	return -1;
}

/* The line that ends at `end` closes the trace. */
static bool closes(int fd, off_t end)
{
	static const char closing[] = "{\"end\":";
	char start[sizeof closing - 1];
	off_t at = break_before(fd, end) + 1;

	return pread(fd, start, sizeof start, at) == (ssize_t)sizeof start &&
	       memcmp(start, closing, sizeof start) == 0;
}

int sb_trace_note_death(int trace, int64_t when)
{
	char name[64], line[64];
	struct stat st;

	(void)snprintf(name, sizeof name, "/proc/self/fd/%d", trace);
	/* Nobody is to wait for what is no file; and the writer's own descriptor cannot read. */
	if (fstat(trace, &st) < 0 || !S_ISREG(st.st_mode))
		return -EINVAL;
	auto_fd int fd = open(name, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	off_t last = break_before(fd, st.st_size);
	if (last < 0)
		return -EINVAL;
	if (closes(fd, last))
		return 0;
	int len = snprintf(line, sizeof line, "{\"died\":%" PRId64 "}\n", when);
	/* Half a line may be there, as it was in the writer's hands. */
	if (ftruncate(fd, last + 1) < 0)
		return -errno;
	return pwrite(fd, line, (size_t)len, last + 1) == len ? 0 : -EIO;
}
