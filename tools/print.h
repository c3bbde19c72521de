/* Names on standard output. */
#pragma once

#include <stddef.h>

/*
 * Bytes that could move a terminal's cursor or lie about a name are shown as escapes; what is left
 * is for people, not for programs: those take --format json, or paths -0.
 */
void sb_print_name(const char *s);

/* "ok", "ENOENT", "?" where it is not known. */
void sb_outcome_word(int outcome, char *ret, size_t size);
