#include "common/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include "common/err.h"

static sb_log_fn sink;
static enum sb_log_level most;

void sb_log_to(sb_log_fn fn, enum sb_log_level level)
{
	sink = fn;
	most = level;
}

bool sb_log_on(enum sb_log_level level)
{
	return sink != NULL && level <= most;
}

void sb_log(enum sb_log_level level, const char *fmt, ...)
{
	struct sb_err words = {.code = SB_ESAID};
	char line[sizeof words.msg + 256];
	int saved = errno;
	va_list ap;

	if (!sb_log_on(level))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(words.msg, sizeof words.msg, fmt, ap);
	va_end(ap);
	sb_err_line(&words, line, sizeof line);
	sink(level, line);
	errno = saved;
}
