/*
 * Directories of runs whose reaper was killed before it could remove them.
 */
#pragma once

/* How our directories are named: this and six characters of mkdtemp(3). */
#define LAUNCH_LAYER_PREFIX "sidebundle."

/*
 * Takes hold of a layer's directory, so that no other run sweeps it up, for as long as the process
 * lives. Returns the descriptor, which the caller need not close, or -1.
 */
int launch_layer_hold(const char *dir);
/* Removes what earlier runs of this user left beside `dir`: old enough, and held by nobody. */
void launch_layer_sweep(const char *dir);
