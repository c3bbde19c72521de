/*
 * Calls of libc's and the dynamic linker's that name nothing, and that a filter cannot tell from
 * those that do: fstat(3) is newfstatat(fd, "", buf, AT_EMPTY_PATH) in glibc 2.33 to 2.38. Where
 * that instruction and that "" lie in their pages is the same in every process with the same libc:
 * learned here once, from our own.
 */
#pragma once

#include <stdint.h>

struct sb_quiet {
	uint16_t instruction,
		path; /* offsets in their pages: of what follows the call, of the "" */
};

#define SB_QUIET_MASK  0xfffu
#define SB_QUIET_LEARN 2 /* libc and its dynamic linker have a copy each */
/* And so has libc's text as traced processes run it: tracer/libctext.h. */
#define SB_QUIET_MOST 3

/* Learns them in a child; how many there are, 0 where fstat is a call of its own, or is refused. */
unsigned sb_quiet_learn(struct sb_quiet ret[SB_QUIET_LEARN]);
