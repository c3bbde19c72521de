/*
 * Descriptors below what libc offers, and system calls without libc: for who shares its memory, and
 * so its errno, with another process.
 */
#pragma once

#include <stdbool.h>

#include "preload/arch.h"

/* 0 or more, or -errno. */
static inline long launch_raw(long nr, long a, long b, long c)
{
	return sb_arch_syscall(nr, a, b, c, 0, 0, 0);
}

/* Closes first..last where `any`; best effort before Linux 5.9. Touches nothing of libc's. */
void launch_close_range(unsigned first, unsigned last, bool any);
