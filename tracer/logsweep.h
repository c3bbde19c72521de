/* What killed runs left: logs that nobody holds the lock of, and texts on a disk without a log. */
#pragma once

#include <stddef.h>

#define SB_LOG_PREFIX "sidebundle-log-"

/* Of the directories that logs are made in; NULL and "" are none. Only what is this user's. */
void sb_log_sweep(const char *const *dirs, size_t count);
/* The copies of libc's text that belong to the log's directory `dir`, called `name`. */
void sb_log_remove_texts(int dir, const char *name);
