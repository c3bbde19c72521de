#include "common/hex.h"

#include <errno.h>

int sb_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int sb_hex_bytes(const char *hex, char *ret_bytes)
{
	for (; *hex; hex += 2, ret_bytes++) {
		int high = sb_hex_digit(hex[0]), low = sb_hex_digit(hex[1]);

		if (high < 0 || low < 0 || (high == 0 && low == 0))
			return -EINVAL;
		*ret_bytes = (char)(high << 4 | low);
	}
	*ret_bytes = '\0';
	return 0;
}
