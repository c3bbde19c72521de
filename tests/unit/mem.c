/* The string functions of code in a traced process, held against libc's. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "preload/str.h"

/* Beside libc's own, which criterion needs. */
#define memcpy	own_memcpy
#define memmove own_memmove
#define memset	own_memset
#define memcmp	own_memcmp
#include "preload/mem.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp

#define ROOM 64

static void fill(char *buf)
{
	for (int i = 0; i < ROOM; i++)
		buf[i] = (char)(i * 7 + 1);
}

/* Every length and shift that words and single bytes are mixed in. */
Test(mem, copies_like_libc)
{
	char own[ROOM], libc[ROOM], from[ROOM];

	fill(from);
	for (size_t n = 0; n <= 20; n++)
		for (size_t shift = 0; shift < 9; shift++) {
			memset(own, 'x', ROOM);
			memset(libc, 'x', ROOM);
			cr_expect(eq(ptr, own_memcpy(own + shift, from + 3, n), own + shift));
			memcpy(libc + shift, from + 3, n);
			cr_expect(eq(int, memcmp(own, libc, ROOM), 0), "%zu bytes to %zu", n,
				  shift);
		}
}

Test(mem, moves_what_overlaps)
{
	static const int shifts[] = {-9, -8, -1, 0, 1, 7, 8, 9};
	char own[ROOM], libc[ROOM];

	for (size_t i = 0; i < sizeof shifts / sizeof *shifts; i++)
		for (size_t n = 0; n <= 20; n++) {
			fill(own);
			fill(libc);
			cr_expect(eq(ptr, own_memmove(own + 20 + shifts[i], own + 20, n),
				     own + 20 + shifts[i]));
			memmove(libc + 20 + shifts[i], libc + 20, n);
			cr_expect(eq(int, memcmp(own, libc, ROOM), 0), "%zu bytes by %d", n,
				  shifts[i]);
		}
}

Test(mem, fills_and_compares)
{
	static const struct {
		const char *a, *b;
		size_t n;
		int sign;
	} rows[] = {
		{"abc", "abc", 3, 0},	 {"abc", "abd", 3, -1}, {"abd", "abc", 3, 1},
		{"abc", "abd", 2, 0},	 {"", "x", 0, 0},	{"\xff", "\x01", 1, 1},
		{"a\0b", "a\0c", 3, -1},
	};
	char buf[ROOM];

	fill(buf);
	cr_expect(eq(ptr, own_memset(buf + 1, 0xe5, 9), buf + 1));
	for (int i = 1; i < 10; i++)
		cr_expect(eq(chr, buf[i], (char)0xe5));
	cr_expect(eq(chr, buf[0], 1));
	cr_expect(eq(chr, buf[10], (char)71));
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		int got = own_memcmp(rows[i].a, rows[i].b, rows[i].n);

		cr_expect(eq(int, (got > 0) - (got < 0), rows[i].sign), "row %zu", i);
	}
}

Test(mem, strings)
{
	cr_expect(eq(sz, sb_strlen("abc"), 3));
	cr_expect(eq(sz, sb_strnlen("abc", 2), 2));
	cr_expect(eq(sz, sb_strnlen("abc", 9), 3));
	cr_expect(sb_streq("", ""));
	cr_expect(not(sb_streq("a", "ab")));
	cr_expect(not(sb_streq("ab", "a")));
	cr_expect(sb_starts("LD_PRELOAD=x", "LD_PRELOAD="));
	cr_expect(not(sb_starts("LD", "LD_PRELOAD=")));
	cr_expect(eq(str, (char *)sb_strchr("a:b", ':'), ":b"));
	cr_expect(sb_strchr("ab", ':') == NULL);
	cr_expect(eq(str, (char *)sb_strchr("ab", '\0'), ""));
}

Test(mem, basename_is_what_follows_the_last_slash)
{
	static const struct {
		const char *path, *base;
	} rows[] = {{"a", "a"}, {"/a/b", "b"}, {"/a/", ""}, {"", ""}, {"/", ""}, {"a//b", "b"}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_expect(eq(str, (char *)sb_basename(rows[i].path), (char *)rows[i].base));
}

/* What does not fit is cut; the buffer always ends with a NUL, and nothing is written behind it. */
Test(mem, appends_what_fits)
{
	char buf[8] = "", guard = buf[7] = 'g';
	size_t at = 0;

	cr_expect(sb_puts(buf, 7, &at, "abc"));
	cr_expect(sb_puts(buf, 7, &at, ""));
	cr_expect(not(sb_puts(buf, 7, &at, "defg")));
	cr_expect(eq(str, buf, "abcdef"));
	cr_expect(eq(sz, at, 6));
	cr_expect(not(sb_puts(buf, 7, &at, "x")));
	cr_expect(eq(chr, buf[7], guard));
}

Test(mem, numbers)
{
	static const struct {
		uint64_t n;
		unsigned base;
		const char *text;
	} rows[] = {
		{0, 10, "0"},
		{7, 16, "7"},
		{255, 16, "ff"},
		{UINT64_MAX, 16, "ffffffffffffffff"},
		{UINT64_MAX, 10, "18446744073709551615"},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char buf[32];
		size_t at = 0;

		cr_expect(sb_put_number(buf, sizeof buf, &at, rows[i].n, rows[i].base));
		cr_expect(eq(str, buf, (char *)rows[i].text));
	}
}
