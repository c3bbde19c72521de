#include "tools/print.h"

#include <stdio.h>
#include <string.h>

#include "common/utf8.h"
#include "tracer/event.h"

size_t sb_print_piece(const char *s, size_t len, struct sb_print_piece *ret)
{
	uint32_t point = 0;
	size_t n = sb_utf8_next(s, len, &point);

	ret->escaped = !n || !sb_utf8_shown(point);
	if (!ret->escaped) {
		memcpy(ret->text, s, n);
		ret->text[n] = '\0';
		ret->width = sb_utf8_width(point);
		return n;
	}
	if (*s == '\n' || *s == '\t')
		(void)snprintf(ret->text, sizeof ret->text, "\\%c", *s == '\n' ? 'n' : 't');
	else if (n <= 1)
		(void)snprintf(ret->text, sizeof ret->text, "\\x%02x", (unsigned char)*s);
	else
		(void)snprintf(ret->text, sizeof ret->text, point > 0xffff ? "\\U%08x" : "\\u%04x",
			       (unsigned)point);
	ret->width = (int)strlen(ret->text);
	return n ? n : 1;
}

void sb_print_name(const char *s)
{
	struct sb_print_piece piece;

	for (size_t len = strlen(s); len;) {
		size_t n = sb_print_piece(s, len, &piece);

		fputs(piece.text, stdout);
		s += n;
		len -= n;
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

void sb_print_size(uint64_t size)
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	double value = (double)size;
	int unit = 0;

	while (value >= 1000 && unit < 4) {
		value /= 1024;
		unit++;
	}
	printf("%9.*f %-3s", unit ? 1 : 0, value, units[unit]);
}
