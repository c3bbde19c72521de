/*
 * A growing run of bytes, always NUL-terminated once anything was added.
 *
 * Start from SB_BUF_INIT (auto_buf frees it). Functions return 0, or -ENOMEM with the
 * buffer unchanged. buf.s is NULL while the buffer is empty: use sb_buf_str() to read it
 * as a string. Pointers into it last until the next addition.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct sb_buf {
	char *s;
	size_t len, cap;
};

#define SB_BUF_INIT        \
	{                  \
		NULL, 0, 0 \
	}
#define auto_buf __attribute__((cleanup(sb_buf_free))) struct sb_buf

int sb_buf_add(struct sb_buf *buf, const void *bytes, size_t len);
/* Makes sure that `more` bytes fit behind the last one: for who writes there and raises `len`. */
int sb_buf_reserve(struct sb_buf *buf, size_t more);
int sb_buf_puts(struct sb_buf *buf, const char *s);
int sb_buf_putc(struct sb_buf *buf, char c);
int sb_buf_printf(struct sb_buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Makes it one string, and no other: empties it first. */
int sb_buf_set(struct sb_buf *buf, const char *s);
/* Shortens to len bytes. */
void sb_buf_cut(struct sb_buf *buf, size_t len);
/* Hands the bytes over; never NULL but when out of memory. The caller frees. */
char *sb_buf_steal(struct sb_buf *buf);
void sb_buf_free(struct sb_buf *buf);

static inline const char *sb_buf_str(const struct sb_buf *buf)
{
	return buf->s ? buf->s : "";
}
