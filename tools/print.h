/* Names on standard output. */
#pragma once

/*
 * Bytes that could move a terminal's cursor or lie about a name are shown as escapes; what is left
 * is for people, not for programs: those take --format json, or paths -0.
 */
void sb_print_name(const char *s);
