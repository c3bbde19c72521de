/* The system call as the program itself makes it, which shares a few files with the modules. */
#include "preload/recorder.h"

#include "preload/arch.h"

long sb_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	return sb_arch_syscall(nr, a, b, c, d, e, f);
}
