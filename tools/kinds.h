/* --kind: names of kinds, separated by commas, as a set of bits. */
#pragma once

#include "tools/command.h"

/* All of them where none is named; open brings load along. -SB_EUSAGE for a name that is none. */
int sb_kinds_parse(const struct sb_strings *lists, unsigned *ret, struct sb_err *err);
