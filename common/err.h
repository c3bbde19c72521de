/*
 * What went wrong, in words that gain context on the way up.
 *
 * Lives on the caller's stack and never allocates. A function that can fail returns 0
 * or more when it worked and -errno when it did not; then, and only then, *err is set.
 *
 *     if (fd < 0)
 *             return sb_fail(err, errno, "open '%s'", path);
 *     ...
 *     if (manifest_read(...) < 0)
 *             return sb_wrap(err, "read manifest");
 *
 * gives "read manifest: open '/x'"; whoever prints it appends strerror(code) where the
 * message does not already explain itself (code SB_ESAID).
 */
#pragma once

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>

/* The message says it all: no strerror is to follow. Larger than any errno. */
#define SB_ESAID 4000
/* Wrong use of the command line: exit code 2. */
#define SB_EUSAGE 4001

struct sb_err {
	int code; /* errno, or one of the above; > 0 once set */
	char msg[1024];
};

#define SB_ERR_INIT   \
	{             \
		0, "" \
	}

/* Sets *err; returns -code. A code of 0 is taken as SB_ESAID, so that a failure stays one. */
int sb_fail(struct sb_err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Prepends "context: " to a set *err; returns -err->code. */
int sb_wrap(struct sb_err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes one line without a newline, control characters escaped, strerror appended where due. */
void sb_err_line(const struct sb_err *err, char *ret_line, size_t size);
