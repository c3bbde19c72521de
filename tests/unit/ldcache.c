#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "bundler/ldcache.h"

struct row {
	int32_t flags;
	const char *key, *value;
	uint64_t hwcap;
};

static const struct row rows[] = {
	{0x303, "liba.so.1", "/l/glibc-hwcaps/x86-64-v3/liba.so.1", UINT64_C(1) << 62},
	{0x303, "liba.so.1", "/l/liba.so.1", 0},
	{0x003, "liba.so.1", "/l32/liba.so.1", 0},
	{0xa03, "liba.so.1", "/larm/liba.so.1", 0},
	{0x303, "libb.so", "/l/libb.so", 0},
};

static char file[4096];

static size_t put(size_t at, const void *bytes, size_t len)
{
	memcpy(file + at, bytes, len);
	return at + len;
}

static size_t put_new(size_t base)
{
	const uint32_t count = sizeof rows / sizeof *rows;
	size_t at = base + 48, text = base + 48 + 24 * count;

	put(base, "glibc-ld.so.cache1.1", 20);
	put(base + 20, &count, 4);
	file[base + 28] = 2;
	for (size_t i = 0; i < count; i++) {
		uint32_t key = (uint32_t)(text - base);

		text = put(text, rows[i].key, strlen(rows[i].key) + 1);
		uint32_t value = (uint32_t)(text - base), osversion = 0;
		text = put(text, rows[i].value, strlen(rows[i].value) + 1);
		at = put(at, &rows[i].flags, 4);
		at = put(at, &key, 4);
		at = put(at, &value, 4);
		at = put(at, &osversion, 4);
		at = put(at, &rows[i].hwcap, 8);
	}
	return text;
}

/* The old format with the one entry whose index is given, or with none. */
static size_t put_old(int only)
{
	uint32_t count = only >= 0, key = 0;

	put(0, "ld.so-1.7.0", 12);
	size_t at = put(12, &count, 4);
	if (only < 0)
		return at;
	at = put(at, &rows[only].flags, 4);
	at = put(at, &key, 4);
	uint32_t value = (uint32_t)strlen(rows[only].key) + 1;
	at = put(at, &value, 4);
	at = put(at, rows[only].key, strlen(rows[only].key) + 1);
	return put(at, rows[only].value, strlen(rows[only].value) + 1);
}

static void expect_rows(const struct sb_ldcache *cache)
{
	size_t at = 0;
	bool variant;

	cr_expect(eq(str, (char *)sb_ldcache_next(cache, &at, "liba.so.1", 0x303, &variant),
		     (char *)rows[0].value));
	cr_expect(variant);
	cr_expect(eq(str, (char *)sb_ldcache_next(cache, &at, "liba.so.1", 0x303, &variant),
		     (char *)rows[1].value));
	cr_expect(not(variant));
	cr_expect(sb_ldcache_next(cache, &at, "liba.so.1", 0x303, &variant) == NULL);
	at = 0;
	cr_expect(eq(str, (char *)sb_ldcache_next(cache, &at, "liba.so.1", 0xa03, &variant),
		     (char *)rows[3].value));
	at = 0;
	cr_expect(sb_ldcache_next(cache, &at, "liba.so", 0x303, &variant) == NULL);
}

Test(ldcache, the_new_format_is_read)
{
	struct sb_ldcache cache;

	size_t len = put_new(0);
	cr_assert(eq(int, sb_ldcache_parse(&cache, file, len), 0));
	expect_rows(&cache);
}

Test(ldcache, the_new_format_is_found_behind_the_old_one)
{
	struct sb_ldcache cache;

	memset(file, 0, sizeof file);
	put_old(-1);
	size_t len = put_new(16);
	cr_assert(eq(int, sb_ldcache_parse(&cache, file, len), 0));
	expect_rows(&cache);
}

Test(ldcache, the_old_format_alone_will_do)
{
	struct sb_ldcache cache;
	size_t at = 0, len = put_old(1);
	bool variant = true;

	cr_assert(eq(int, sb_ldcache_parse(&cache, file, len), 0));
	cr_expect(eq(str, (char *)sb_ldcache_next(&cache, &at, "liba.so.1", 0, &variant),
		     (char *)"/l/liba.so.1"));
	cr_expect(not(variant));
}

Test(ldcache, damage_is_survived)
{
	size_t len = put_new(0);

	for (size_t i = 0; i < len; i++) {
		for (int v = 0; v < 256; v += 51) {
			struct sb_ldcache cache;
			char saved = file[i];
			size_t at = 0;
			bool variant;

			file[i] = (char)v;
			if (sb_ldcache_parse(&cache, file, len) == 0)
				while (sb_ldcache_next(&cache, &at, "liba.so.1", 0, &variant))
					;
			file[i] = saved;
		}
	}
	for (size_t cut = 0; cut < len; cut++) {
		struct sb_ldcache cache;
		size_t at = 0;
		bool variant;

		if (sb_ldcache_parse(&cache, file, cut) == 0)
			(void)sb_ldcache_next(&cache, &at, "libb.so", 0, &variant);
	}
}

Test(ldcache, what_is_no_cache_is_told_so)
{
	struct sb_ldcache cache;

	cr_expect(eq(int, sb_ldcache_parse(&cache, "", 0), -EBADMSG));
	size_t len = put_new(0);
	file[28] = 3; /* of the other byte order */
	cr_expect(eq(int, sb_ldcache_parse(&cache, file, len), -EBADMSG));
}
