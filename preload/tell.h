/*
 * From a hook to the recorder: what a call did to a path, told from its arguments and its result.
 *
 * `raw` is the result as the kernel gives it: 0 or more, or -errno. Tell after the call: a path
 * that the kernel could not read is then known, and never touched here. All of these leave errno
 * alone and cost nothing in a process that is not traced.
 */
#pragma once

#include <stdint.h>

#include "preload/recorder.h"

/* stat, access, chdir...: kind is SB_STAT, SB_READLINK, SB_LIST or SB_CONNECT. */
void sb_tell(enum sb_kind kind, int dirfd, const char *path, uint8_t flags, long raw);

/* The same where the path is known to be readable: the kernel has read it whatever it answered. */
void sb_tell_read(enum sb_kind kind, int dirfd, const char *path, uint8_t flags, long raw);

/* Changed or removed by name: what worked was there before. */
void sb_tell_change(enum sb_op op, int dirfd, const char *path, uint8_t flags, long raw);

/* Made where nothing may be: what worked was not there before, EEXIST was. */
void sb_tell_make(enum sb_op op, int dirfd, const char *path, long raw);

/* A symlink that holds `target`. */
void sb_tell_symlink(const char *target, int dirfd, const char *path, long raw);

/* `flags` are those of renameat2(2); whether the new name existed was asked before the call. */
void sb_tell_rename(int from_dir, const char *from, int to_dir, const char *to, unsigned flags,
		    uint8_t existed, long raw);

/* `flags` are those of linkat(2). */
void sb_tell_link(int from_dir, const char *from, int to_dir, const char *to, int flags, long raw);

/*
 * An open with `flags` of open(2). `existed` is what sb_open_existed() said before the call.
 * Reading and writing are told apart; O_RDWR is both.
 */
#define SB_OPENED 0x7fffffffL /* raw: it worked, the descriptor is not known */
void sb_tell_open(int dirfd, const char *path, uint64_t flags, uint8_t existed, long raw);
uint8_t sb_open_existed(int dirfd, const char *path, uint64_t flags);

/* Whether open(2) takes a mode with these flags, and may make a file. */
#define SB_OPEN_TAKES_MODE(flags) (((flags)&O_CREAT) || ((flags)&__O_TMPFILE) == __O_TMPFILE)
