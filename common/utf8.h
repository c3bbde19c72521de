/* UTF-8 as RFC 3629 has it: shortest form, no surrogates, nothing above U+10FFFF. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Length of the well-formed sequence that `s` begins with, 0 where there is none. */
size_t sb_utf8_next(const char *s, size_t len, uint32_t *ret_point);
bool sb_utf8_valid(const char *s, size_t len);

/*
 * Columns that a terminal gives to it: 0, 1 or 2. By the blocks that are wide in practice, and the
 * same in every locale.
 */
int sb_utf8_width(uint32_t point);
/* Whether it may be shown: no control, nothing that is invisible or turns the direction of text. */
bool sb_utf8_shown(uint32_t point);
