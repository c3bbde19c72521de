/*
 * ld.so.cache as ldconfig writes it: glibc's own format ("glibc-ld.so.cache1.1"), alone or behind
 * the old one ("ld.so-1.7.0"), or the old one alone.
 *
 * Order: sb_ldcache_parse() over the file's bytes, which must outlive it, then sb_ldcache_next().
 * Entries that point outside of the file are passed over, as ld.so does.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sb_ldcache {
	const char *strings; /* keys and values are offsets from here */
	size_t strings_len;
	const char *entries;
	size_t count, entry_size;
};

/* 0, or -EBADMSG where it is no cache that we know. */
int sb_ldcache_parse(struct sb_ldcache *ret, const void *bytes, size_t len);

/*
 * The next path for `name`, in the order of the file (better hardware first), from *at on (starts
 * as 0); NULL after the last. `flags`: those of the machine, 0 any. *ret_variant: it is for some
 * processors only.
 */
const char *sb_ldcache_next(const struct sb_ldcache *cache, size_t *at, const char *name,
			    uint32_t flags, bool *ret_variant);
