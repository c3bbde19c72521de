/*
 * Words for the user while something is going on. Libraries never print: they call sb_log(), and
 * what becomes of it is decided by main. Silent until sb_log_to() is called.
 */
#pragma once

#include <stdbool.h>

enum sb_log_level { SB_LOG_ERROR, SB_LOG_WARN, SB_LOG_INFO, SB_LOG_DEBUG, SB_LOG_TRACE };

/* `line` has no newline and no control characters. */
typedef void (*sb_log_fn)(enum sb_log_level level, const char *line);

void sb_log_to(sb_log_fn fn, enum sb_log_level most);
/* Whether such a line would be heard: for lines that are dear to make. */
bool sb_log_on(enum sb_log_level level);
void sb_log(enum sb_log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
