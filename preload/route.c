/* Which way a system call goes from a traced process, and the program's errno. */
#include "preload/arch.h"
#include "preload/below.h"
#include "preload/bypass.h"
#include "preload/state.h"

#include <asm/unistd.h>
#include <stddef.h>

/* Weak and unversioned: glibc and musl both have it; the audit module's namespace has neither. */
extern int *__errno_location(void) __attribute__((weak, const, visibility("default")));

long sb_raw(long nr, long a, long b, long c, long d, long e, long f)
{
	/* No guard reports the one of six arguments that the modules make. */
	if (sb_load(&sb_self()->bypass) && nr != __NR_mmap)
		return sb_bypass(a, b, c, d, e, nr);
	return sb_arch_syscall(nr, a, b, c, d, e, f);
}

long sb_call(long nr, long a, long b, long c, long d, long e, long f)
{
	/* Asked first: only what can be recorded may pass the guard. A sandboxed process cannot get
	 * more room in the log: it leaves all to the guard. */
	return sb_recorder_on() && !(sb_self()->guarded && sb_recorder_sandboxed())
		       ? sb_raw(nr, a, b, c, d, e, f)
		       : sb_arch_syscall(nr, a, b, c, d, e, f);
}

bool sb_recorder_tells(void)
{
	const struct sb_recorder *st = sb_self();

	return !st->guarded || (sb_load(&st->bypass) && !sb_load(&st->sandboxed));
}

bool sb_hook_tells(unsigned families)
{
	const struct sb_recorder *st = sb_self();

	if (!sb_recorder_on() || st->guarded)
		return false;
	return !families || (sb_load(&st->below) & families) != families;
}

bool sb_hook_moves(void)
{
	return sb_recorder_on() && !(sb_load(&sb_self()->below) & SB_BELOW_MOVE);
}

static int *(*errno_at)(void);

void sb_errno_at(int *(*location)(void))
{
	errno_at = location;
}

static int *location(void)
{
	if (__errno_location)
		return __errno_location();
	return errno_at ? errno_at() : NULL;
}

int sb_errno_get(void)
{
	const int *error = location();

	return error ? *error : 0;
}

void sb_errno_set(int value)
{
	int *error = location();

	if (error)
		*error = value;
}

long sb_errno_return(long raw)
{
	if ((unsigned long)raw <= -4096UL)
		return raw;
	sb_errno_set((int)-raw);
	return -1;
}
