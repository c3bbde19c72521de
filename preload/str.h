/*
 * The few string functions that code in a traced process needs: libc's own may not be there, not be
 * relocated yet, or be somebody's hook.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline size_t sb_strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

static inline size_t sb_strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

static inline bool sb_streq(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static inline bool sb_starts(const char *s, const char *prefix)
{
	while (*prefix)
		if (*s++ != *prefix++)
			return false;
	return true;
}

static inline const char *sb_strchr(const char *s, char c)
{
	for (; *s; s++)
		if (*s == c)
			return s;
	return c ? NULL : s;
}

/* Past the last slash; the whole where there is none. */
static inline const char *sb_basename(const char *path)
{
	const char *base = path;

	for (; *path; path++)
		if (*path == '/')
			base = path + 1;
	return base;
}

static inline void sb_copy(char *to, const char *from, size_t n)
{
	__builtin_memcpy(to, from, n);
}

/* Appends what fits of `from` at *at, keeps the whole terminated. False where it was cut. */
static inline bool sb_put(char *buf, size_t size, size_t *at, const char *from, size_t n)
{
	size_t room = size - 1 - *at;
	bool whole = n <= room;

	if (!whole)
		n = room;
	sb_copy(buf + *at, from, n);
	*at += n;
	buf[*at] = 0;
	return whole;
}

static inline bool sb_puts(char *buf, size_t size, size_t *at, const char *from)
{
	return sb_put(buf, size, at, from, sb_strlen(from));
}

static inline bool sb_put_number(char *buf, size_t size, size_t *at, uint64_t n, unsigned base)
{
	char digits[24];
	size_t i = sizeof(digits);

	do
		digits[--i] = "0123456789abcdef"[n % base];
	while (n /= base);
	return sb_put(buf, size, at, digits + i, sizeof(digits) - i);
}
