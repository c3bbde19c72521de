#include "common/buf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int sb_buf_reserve(struct sb_buf *buf, size_t more)
{
	size_t need = buf->len + more + 1;
	size_t cap = buf->cap ? buf->cap : 64;

	if (need <= buf->cap)
		return 0;
	if (need < more)
		return -ENOMEM;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : cap * 2;
	char *s = realloc(buf->s, cap);
	if (!s)
		return -ENOMEM;
	buf->s = s;
	buf->cap = cap;
	return 0;
}

int sb_buf_add(struct sb_buf *buf, const void *bytes, size_t len)
{
	if (sb_buf_reserve(buf, len) < 0)
		return -ENOMEM;
	if (len)
		memcpy(buf->s + buf->len, bytes, len);
	buf->len += len;
	buf->s[buf->len] = '\0';
	return 0;
}

int sb_buf_puts(struct sb_buf *buf, const char *s)
{
	return sb_buf_add(buf, s, strlen(s));
}

int sb_buf_putc(struct sb_buf *buf, char c)
{
	return sb_buf_add(buf, &c, 1);
}

int sb_buf_printf(struct sb_buf *buf, const char *fmt, ...)
{
	va_list ap, again;
	int rc = -ENOMEM;

	va_start(ap, fmt);
	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, ap);
	if (len >= 0 && sb_buf_reserve(buf, (size_t)len) == 0) {
		(void)vsnprintf(buf->s + buf->len, (size_t)len + 1, fmt, again);
		buf->len += (size_t)len;
		rc = 0;
	}
	va_end(again);
	va_end(ap);
	return rc;
}

int sb_buf_set(struct sb_buf *buf, const char *s)
{
	sb_buf_cut(buf, 0);
	return sb_buf_puts(buf, s);
}

void sb_buf_cut(struct sb_buf *buf, size_t len)
{
	if (len > buf->len || !buf->s)
		return;
	buf->len = len;
	buf->s[len] = '\0';
}

char *sb_buf_steal(struct sb_buf *buf)
{
	char *s = buf->s ? buf->s : calloc(1, 1);

	*buf = (struct sb_buf)SB_BUF_INIT;
	return s;
}

void sb_buf_free(struct sb_buf *buf)
{
	int saved = errno;

	free(buf->s);
	*buf = (struct sb_buf)SB_BUF_INIT;
	errno = saved;
}
