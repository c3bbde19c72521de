/* Splits a line into words as a shell does: blanks, '...', "..." and \; nothing is expanded. */
#pragma once

#include "common/err.h"
#include "common/strv.h"

/* Appends to *ret. -SB_EUSAGE where a quote is left open. */
int sb_words_split(const char *line, struct sb_strv *ret, struct sb_err *err);
