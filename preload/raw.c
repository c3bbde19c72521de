#include "preload/recorder.h"

#include "preload/arch.h"

/* Weak and unversioned: glibc and musl both have it; the audit module's namespace has neither. */
extern int *__errno_location(void) __attribute__((weak, const, visibility("default")));

long sb_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	return sb_arch_syscall(nr, a, b, c, d, e, f);
}

int sb_errno_get(void)
{
	return __errno_location ? *__errno_location() : 0;
}

void sb_errno_set(int value)
{
	if (__errno_location)
		*__errno_location() = value;
}

long sb_errno_return(long raw)
{
	if ((unsigned long)raw <= -4096UL)
		return raw;
	sb_errno_set((int)-raw);
	return -1;
}
