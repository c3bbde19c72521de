#include "bundler/ldcache.h"

#include <errno.h>
#include <string.h>

/* glibc, sysdeps/generic/dl-cache.h; all numbers in the machine's byte order. */
static const char old_magic[] = "ld.so-1.7.0";
static const char new_magic[] = "glibc-ld.so.cache1.1";
enum {
	OLD_HEADER = 16, /* magic, padded; count at 12 */
	OLD_ENTRY = 12,	 /* flags, key, value */
	NEW_HEADER = 48, /* magic, count at 20, byte order at 28 */
	NEW_ENTRY = 24,	 /* flags, key, value, osversion, hwcap (64 bits) */
};

static uint32_t word(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return v;
}

static int parse_new(struct sb_ldcache *ret, const char *bytes, size_t len)
{
	if (len < NEW_HEADER || memcmp(bytes, new_magic, sizeof new_magic - 1) != 0)
		return -EBADMSG;
	/* 0: written before the byte order was; 2 little, 3 big. */
	unsigned order = (unsigned char)bytes[28] & 3;
	unsigned ours = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 3 : 2;
	uint32_t count = word(bytes + 20);
	if ((order && order != ours) || count > (len - NEW_HEADER) / NEW_ENTRY)
		return -EBADMSG;
	*ret = (struct sb_ldcache){
		.strings = bytes,
		.strings_len = len,
		.entries = bytes + NEW_HEADER,
		.count = count,
		.entry_size = NEW_ENTRY,
	};
	return 0;
}

int sb_ldcache_parse(struct sb_ldcache *ret, const void *file, size_t len)
{
	const char *bytes = file;

	if (len < OLD_HEADER || memcmp(bytes, old_magic, sizeof old_magic - 1) != 0)
		return parse_new(ret, bytes, len);
	uint32_t count = word(bytes + 12);
	if (count > (len - OLD_HEADER) / OLD_ENTRY)
		return -EBADMSG;
	size_t end = OLD_HEADER + (size_t)count * OLD_ENTRY;
	/* The new one follows where its 64-bit members are aligned. */
	size_t aligned = (end + 7) & ~(size_t)7;
	if (aligned < len && parse_new(ret, bytes + aligned, len - aligned) == 0)
		return 0;
	*ret = (struct sb_ldcache){
		.strings = bytes + end,
		.strings_len = len - end,
		.entries = bytes + OLD_HEADER,
		.count = count,
		.entry_size = OLD_ENTRY,
	};
	return 0;
}

static const char *string_at(const struct sb_ldcache *cache, uint32_t offset)
{
	if (offset >= cache->strings_len)
		return NULL;
	const char *s = cache->strings + offset;
	return memchr(s, '\0', cache->strings_len - offset) ? s : NULL;
}

const char *sb_ldcache_next(const struct sb_ldcache *cache, size_t *at, const char *name,
			    uint32_t flags, bool *ret_variant)
{
	while (*at < cache->count) {
		const char *entry = cache->entries + (*at)++ * cache->entry_size;
		const char *key, *value;

		if (flags && word(entry) != flags)
			continue;
		key = string_at(cache, word(entry + 4));
		if (!key || strcmp(key, name) != 0)
			continue;
		value = string_at(cache, word(entry + 8));
		if (!value)
			continue;
		*ret_variant = cache->entry_size == NEW_ENTRY &&
			       (word(entry + 16) != 0 || word(entry + 20) != 0);
		return value;
	}
	return NULL;
}
