/*
 * What a target says about itself: one line per access, "expect KIND OUTCOME COUNT PATH", to be
 * held against the trace by tests/tools/holds.c.
 *
 * OUTCOME is 0 or an errno; COUNT is how often in all, or "-" for at least once; PATH is absolute,
 * with every byte that is not printable ASCII, and the backslash, as \ooo. Each line is one
 * write(2): it is whole when 200 threads write, and there when the process is killed right after.
 * Nothing here allocates or opens, and 16 KiB of stack are enough.
 */
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline void say_flush(const char *line, size_t *len)
{
	size_t done = 0;

	while (done < *len) {
		ssize_t n = write(1, line + done, *len - done);

		if (n < 0 && errno != EINTR)
			_exit(99);
		done += n > 0 ? (size_t)n : 0;
	}
	*len = 0;
}

/* `count` 0 is "at least once". */
static inline void expect_count(const char *kind, int outcome, unsigned long count,
				const char *path)
{
	char line[1024];
	size_t len;

	if (count)
		len = (size_t)snprintf(line, sizeof(line), "expect %s %d %lu ", kind, outcome,
				       count);
	else
		len = (size_t)snprintf(line, sizeof(line), "expect %s %d - ", kind, outcome);
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;

		if (len + 8 > sizeof(line))
			say_flush(line, &len);
		if (c > 32 && c < 127 && c != '\\')
			line[len++] = (char)c;
		else
			len += (size_t)snprintf(line + len, 5, "\\%03o", c);
	}
	line[len++] = '\n';
	say_flush(line, &len);
}

static inline void expect(const char *kind, int outcome, const char *path)
{
	expect_count(kind, outcome, 0, path);
}

static inline void fail(const char *what, const char *path)
{
	dprintf(2, "%s: %s: %s\n", what, path, strerror(errno));
	_exit(98);
}

/* Opens and closes, and fails unless the outcome is the one wanted. */
static inline void open_wanting(const char *path, int flags, int outcome)
{
	int fd = open(path, flags, 0600);

	if ((fd < 0 ? errno : 0) != outcome)
		fail("open had another outcome", path);
	if (fd >= 0)
		close(fd);
}

/* Says it first, then does it. */
static inline void open_expecting(const char *path, int outcome)
{
	expect("open", outcome, path);
	open_wanting(path, O_RDONLY | O_CLOEXEC, outcome);
}

/* DIR/PREFIXn, which is nowhere: an access that needs no file. */
static inline const char *missing_name(char name[256], const char *dir, const char *prefix,
				       unsigned long n)
{
	snprintf(name, 256, "%s/%s%lu", dir, prefix, n);
	return name;
}
