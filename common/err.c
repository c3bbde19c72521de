#include "common/err.h"

#include <stdio.h>
#include <string.h>

int sb_fail(struct sb_err *err, int code, const char *fmt, ...)
{
	va_list ap;

	err->code = code > 0 ? code : SB_ESAID;
	va_start(ap, fmt);
	(void)vsnprintf(err->msg, sizeof err->msg, fmt, ap); /* a long message is cut, not lost */
	va_end(ap);
	return -err->code;
}

int sb_wrap(struct sb_err *err, const char *fmt, ...)
{
	char context[sizeof err->msg];
	char inner[sizeof err->msg];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(context, sizeof context, fmt, ap);
	va_end(ap);
	memcpy(inner, err->msg, sizeof inner);
	/* The innermost words say most: where both do not fit, the context gives way. */
	size_t room = sizeof err->msg - 1 - strnlen(inner, sizeof inner - 1);
	if (room > 2)
		(void)snprintf(err->msg, sizeof err->msg, "%.*s: %s", (int)(room - 2), context,
			       inner);
	if (err->code <= 0)
		err->code = SB_ESAID;
	return -err->code;
}

void sb_err_line(const struct sb_err *err, char *ret_line, size_t size)
{
	size_t n = 0;

	for (const unsigned char *p = (const unsigned char *)err->msg; *p && n + 5 < size; p++) {
		if (*p < 0x20 || *p == 0x7f)
			n += (size_t)snprintf(ret_line + n, size - n, "\\x%02x", *p);
		else
			ret_line[n++] = (char)*p;
	}
	ret_line[n] = '\0';
	if (err->code > 0 && err->code < SB_ESAID)
		(void)snprintf(ret_line + n, size - n, ": %s", strerror(err->code));
}
