#include "tools/words.h"

#include <stdbool.h>
#include <string.h>

#include "common/buf.h"

/* One word, quotes taken off. Returns where it ends, NULL where a quote is open. -ENOMEM in *rc. */
static const char *take_word(const char *p, struct sb_buf *word, int *rc)
{
	char quote = 0;

	for (; *p && (quote || !strchr(" \t\n", *p)); p++) {
		if (!quote && (*p == '\'' || *p == '"')) {
			quote = *p;
			continue;
		}
		if (quote && *p == quote) {
			quote = 0;
			continue;
		}
		/* Between double quotes a backslash is itself, but before these. */
		if (*p == '\\' && quote != '\'' && p[1] && (!quote || strchr("\"\\$`\n", p[1])))
			p++;
		if (sb_buf_putc(word, *p) < 0)
			*rc = -ENOMEM;
	}
	return quote ? NULL : p;
}

int sb_words_split(const char *line, struct sb_strv *ret, struct sb_err *err)
{
	for (const char *p = line + strspn(line, " \t\n"); *p; p += strspn(p, " \t\n")) {
		auto_buf word = SB_BUF_INIT;
		int rc = 0;

		p = take_word(p, &word, &rc);
		if (!p)
			return sb_fail(err, SB_EUSAGE, "a quote is left open in '%s'", line);
		if (rc < 0 || sb_strv_add(ret, sb_buf_str(&word)) < 0)
			return sb_fail(err, ENOMEM, "split '%s'", line);
	}
	return 0;
}
