/* Records, put together: a head, strings, and perhaps an argument list. */
#pragma once

#include <stddef.h>

#include "preload/state.h"

struct sb_text {
	const char *s;
	size_t len;
};

/*
 * Writes one record. Of argv as much as fits `argv_room` bytes, with SB_REC_CUT where that is not
 * all of it. Returns its place in the log, 0 where there was no room; *ret_ref (may be NULL) finds
 * it again.
 */
uint64_t sb_write(const struct sb_rec *head, const struct sb_text *text, unsigned texts,
		  char *const *argv, size_t argv_room, uint64_t *ret_ref);

/*
 * An exec that is about to be tried: pending until sb_settle(). What relative names mean is written
 * down as for any other record. Returns its place, 0 where there was no room.
 */
uint64_t sb_write_exec(const struct sb_access *access, char *const *argv, uint64_t *ret_ref);
/* Stores how it went. A stale reference is nothing to do. */
void sb_settle(uint64_t ref, int outcome);

/* Tells what cwd and root are, for generation `where`. */
void sb_write_where(struct sb_recorder *st, uint32_t where);

/* "" where it is not known. */
void sb_cwd(struct sb_recorder *st, char *buf, size_t size);

/* What a descriptor names, as /proc tells, and what the working directory is called. False: it is
 * longer than the buffer, or not to be had. */
bool sb_name_dir(int dirfd, char *buf, size_t size, size_t *ret_len);
bool sb_name_cwd(char *buf, size_t size, size_t *ret_len);
/*
 * Whether relative names must be told with the directory that they are relative to: a vfork child
 * has moved while its parent, whose state it shares, has not; or libc moves about by itself.
 */
bool sb_strayed(const struct sb_recorder *st);
