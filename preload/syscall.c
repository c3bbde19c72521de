/*
 * syscall(2) and prctl(2): what a program asks of the kernel by number is told as what it asks by
 * name (preload/told.h). Numbers that name nothing go on to libc's own, as a jump: it may be one
 * that returns twice.
 */
#include <asm/unistd.h>

#include "preload/export.h"
#include "preload/recorder.h"
#include "preload/told.h"

typedef long syscall_fn(long nr, long a, long b, long c, long d, long e, long f);
typedef int prctl_fn(int option, long a, long b, long c, long d);

/* Variadic in libc; to the ABI these are the same registers, and one more that nobody looks at. */
SB_EXPORTED long syscall(long nr, long a, long b, long c, long d, long e, long f);
SB_EXPORTED long syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	static syscall_fn *next;

	if (nr == __NR_prctl || nr == __NR_seccomp)
		sb_told_filter(nr, a, b, c);
	else if (sb_told_knows(nr))
		return sb_errno_return(sb_told(nr, a, b, c, d, e, f));
	if (!next && !(next = sb_next("syscall")))
		return sb_errno_return(sb_raw(nr, a, b, c, d, e, f));
	return next(nr, a, b, c, d, e, f);
}

SB_EXPORTED int prctl(int option, long a, long b, long c, long d);
SB_EXPORTED int prctl(int option, long a, long b, long c, long d)
{
	static prctl_fn *next;

	sb_told_filter(__NR_prctl, option, a, b);
	if (!next && !(next = sb_next("prctl")))
		return (int)sb_errno_return(sb_raw(__NR_prctl, option, a, b, c, d, 0));
	return next(option, a, b, c, d);
}
