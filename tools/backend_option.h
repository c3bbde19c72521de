/* The value of --backend and --trace-backend, checked against the table of backends. */
#pragma once

#include <stdbool.h>

#include "common/err.h"

/* 0, or -SB_EUSAGE with the names that there are. `off` is no way of watching: not everybody's. */
int sb_backend_option(const char *option, const char *name, bool off, struct sb_err *err);
