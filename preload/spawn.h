/* Spawning for hooks that start a program of their own. */
#pragma once

/* posix_spawn without file actions, recorded. Returns its error. */
int sb_spawn(int *pid, const char *path, const void *attributes, char *const *argv,
	     char *const *envp);
