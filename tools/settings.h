/* What --log-level and --color asked for; set while options are read, used when words are printed.
 */
#pragma once

#include <stdbool.h>

#include "common/err.h"

/* 0, or -SB_EUSAGE for a word that is none. */
int sb_settings_log_level(const char *word, struct sb_err *err);
int sb_settings_color(const char *word, struct sb_err *err);

/* Whether to colour what goes to this descriptor (NO_COLOR and TERM=dumb are honoured on auto). */
bool sb_settings_colored(int fd);
/* Level of what main prints. */
int sb_settings_level(void);
