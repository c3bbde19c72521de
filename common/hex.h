/* Bytes as pairs of hexadecimal digits, as JSON files of ours hold what is not UTF-8. */
#pragma once

/* 0 to 15; -1 for what is no digit. */
int sb_hex_digit(char c);

/*
 * `ret_bytes` has room for strlen(hex) / 2 + 1 and is NUL-terminated. 0, or -EINVAL: odd, no
 * digits, or a NUL among the bytes.
 */
int sb_hex_bytes(const char *hex, char *ret_bytes);
