/*
 * Who tells what libc does on behalf of a hooked function. A hook that calls libc's own knows what
 * it was asked for; but where the system calls below it are told themselves (by the detours in
 * libc, by the guard), it would be told twice.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Families of system calls, each watched in libc as a whole or not at all (sb_recorder.below). */
enum sb_below {
	SB_BELOW_NOTHING = 0, /* never watched in libc */
	SB_BELOW_OPEN = 1 << 0,
	SB_BELOW_STAT = 1 << 1,
	SB_BELOW_ACCESS = 1 << 2,
	SB_BELOW_READLINK = 1 << 3,
	SB_BELOW_LIST = 1 << 4,
	SB_BELOW_MOVE = 1 << 5, /* chdir, fchdir */
	SB_BELOW_RENAME = 1 << 6,
	SB_BELOW_LINK = 1 << 7,
	SB_BELOW_REMOVE = 1 << 8,
	SB_BELOW_MKDIR = 1 << 9,
	SB_BELOW_MKNOD = 1 << 10,
	SB_BELOW_TIMES = 1 << 11,
	SB_BELOW_STATFS = 1 << 12,
	SB_BELOW_CONNECT = 1 << 13,
	SB_BELOW_OPENAT = 1 << 14, /* below a directory, by libc itself: not watched so far */
	SB_BELOW_EXEC = 1 << 15,
};

/*
 * Whether the hook has to tell, where libc makes calls of these families only. To be asked before
 * libc is called: it may be the first thing that the process is traced by.
 */
bool sb_hook_tells(unsigned families);
/* Whether it has to note where the process stands, after calls of SB_BELOW_MOVE. */
bool sb_hook_moves(void);
