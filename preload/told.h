/*
 * System calls by number, told: for who asks the kernel by number, and for calls of libc's own.
 */
#pragma once

#include <stdbool.h>

/* Whether this call names a path, starts a program, or changes what names mean. */
bool sb_told_knows(long nr);

/*
 * Makes the call, and tells the recorder what it came to; the kernel's own result. One that nobody
 * wants to know of is just made. Not for calls that return twice.
 */
long sb_told(long nr, long a, long b, long c, long d, long e, long f);

/* Before prctl(2) or seccomp(2): the process may be about to filter itself. */
void sb_told_filter(long nr, long operation, long mode, long program);
