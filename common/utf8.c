#include "common/utf8.h"

#include <string.h>

size_t sb_utf8_next(const char *text, size_t len, uint32_t *ret_point)
{
	const unsigned char *s = (const unsigned char *)text;

	if (!len)
		return 0;
	size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	if (n == 0 || n > len || s[0] > 0xf4)
		return 0;
	uint32_t point = n == 1 ? s[0] : s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		point = point << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && point < 0x800) || (n == 4 && (point < 0x10000 || point > 0x10ffff)) ||
	    (point >= 0xd800 && point < 0xe000))
		return 0;
	if (ret_point)
		*ret_point = point;
	return n;
}

bool sb_utf8_valid(const char *s, size_t len)
{
	while (len) {
		uint64_t eight;
		size_t n;

		/* Nearly every path is ASCII. */
		for (; len >= sizeof eight; s += sizeof eight, len -= sizeof eight) {
			memcpy(&eight, s, sizeof eight);
			if (eight & 0x8080808080808080u)
				break;
		}
		if (!len)
			break;
		n = sb_utf8_next(s, len, NULL);

		if (!n)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

struct range {
	uint32_t first, last;
};

static bool within(const struct range *ranges, size_t count, uint32_t point)
{
	for (size_t i = 0; i < count; i++)
		if (point >= ranges[i].first && point <= ranges[i].last)
			return true;
	return false;
}

int sb_utf8_width(uint32_t point)
{
	static const struct range wide[] = {
		{0x1100, 0x115f},   {0x2e80, 0x303e},	{0x3041, 0xa4cf},   {0xac00, 0xd7a3},
		{0xf900, 0xfaff},   {0xfe30, 0xfe6f},	{0xff00, 0xff60},   {0xffe0, 0xffe6},
		{0x1f300, 0x1f64f}, {0x1f680, 0x1faff}, {0x20000, 0x3fffd},
	};
	static const struct range none[] = {
		{0x300, 0x36f},	  {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},
		{0x64b, 0x65f},	  {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x20d0, 0x20ff},
		{0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
	};

	if (within(none, sizeof none / sizeof *none, point))
		return 0;
	return within(wide, sizeof wide / sizeof *wide, point) ? 2 : 1;
}

bool sb_utf8_shown(uint32_t point)
{
	static const struct range hidden[] = {
		{0, 0x1f},	  {0x7f, 0x9f},	    {0xad, 0xad},	{0x61c, 0x61c},
		{0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},	{0x2060, 0x206f},
		{0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
	};

	return !within(hidden, sizeof hidden / sizeof *hidden, point);
}
