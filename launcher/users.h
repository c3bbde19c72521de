/* Who still uses a directory, of those that we may look at. */
#pragma once

#include <stdbool.h>

/*
 * Whether some process stands in `dir` (a real path) or below, or has mapped something of it: every
 * program of the bundle that is told of a copy maps SB_LAYER_USED of it. Without /proc nobody does.
 */
bool launch_has_users(const char *dir);
