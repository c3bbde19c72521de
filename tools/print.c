#include "tools/print.h"

#include <stdio.h>
#include <string.h>

#include "tracer/event.h"

void sb_print_name(const char *s)
{
	for (const unsigned char *p = (const unsigned char *)s; *p; p++) {
		if (*p == '\n')
			fputs("\\n", stdout);
		else if (*p == '\t')
			fputs("\\t", stdout);
		else if (*p < 0x20 || *p == 0x7f)
			printf("\\x%02x", *p);
		else if (*p == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0) /* C1 controls in UTF-8 */
			printf("\\u%04x", *++p);
		else
			putchar(*p);
	}
}

void sb_outcome_word(int outcome, char *ret, size_t size)
{
	const char *name = outcome > 0 ? strerrorname_np(outcome) : NULL;

	if (outcome == 0)
		(void)snprintf(ret, size, "ok");
	else if (outcome == SB_OUTCOME_UNKNOWN)
		(void)snprintf(ret, size, "?");
	else if (name)
		(void)snprintf(ret, size, "%s", name);
	else
		(void)snprintf(ret, size, "%d", outcome);
}
