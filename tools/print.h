/* Names on standard output. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The next character of a name as it is printed. */
struct sb_print_piece {
	char text[12];
	int width;    /* columns */
	bool escaped; /* it stands for what could move a cursor or lie about a name */
};

/* Takes a character off `s` (not empty, `len` bytes): how many bytes it had. */
size_t sb_print_piece(const char *s, size_t len, struct sb_print_piece *ret);

/*
 * Bytes that could move a terminal's cursor or lie about a name are shown as escapes; what is left
 * is for people, not for programs: those take --format json, or paths -0.
 */
void sb_print_name(const char *s);

/* "ok", "ENOENT", "?" where it is not known. */
void sb_outcome_word(int outcome, char *ret, size_t size);

/* "    1.5 MiB": always as wide. */
void sb_print_size(uint64_t size);
