/* Who still uses a directory, of those that we may look at. */
#pragma once

#include <stdbool.h>

/* Whether some process stands in `dir` or below, or was told of it as it was started (its first
 * environment has its name). Without /proc nobody does. */
bool launch_has_users(const char *dir);
