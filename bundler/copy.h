/*
 * Copying one file, and hashing it on the way.
 *
 * A struct sb_copier belongs to one thread: sb_copier_init(), any number of sb_copy() and
 * sb_copier_hash(), sb_copier_close().
 */
#pragma once

#include <signal.h>
#include <stdint.h>
#include <sys/stat.h>

#include "bundler/manifest.h"

struct sb_copier {
	void *buffer, *digest;
	const volatile sig_atomic_t *stop; /* -EINTR once it is not 0; may be NULL */
	bool no_reflink;		   /* learned: not between these file systems */
};

int sb_copier_init(struct sb_copier *c); /* 0 or -ENOMEM */
void sb_copier_close(struct sb_copier *c);

/*
 * Copies all of `from` (a regular file, at its start) to `to` (empty), sparse where it is. *ret_hex
 * and *ret_size are those of the bytes that were written. 0 or -errno; *ret_reading, where given,
 * tells which side failed.
 */
int sb_copy(struct sb_copier *c, int from, const struct stat *st, int to,
	    char ret_hex[SB_SHA256_HEX], uint64_t *ret_size, bool *ret_reading);
/* 0 or -EIO. */
int sb_hash_bytes(const void *bytes, size_t len, char ret_hex[SB_SHA256_HEX]);
/* The same without a copy. */
int sb_copier_hash(struct sb_copier *c, int from, char ret_hex[SB_SHA256_HEX], uint64_t *ret_size);
