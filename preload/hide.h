/* Our variables, out of the program's sight once it is loaded. */
#pragma once

#include <stdint.h>

/*
 * `headers` are the program's own, `count` of them: a Go program is left as it is, for it starts
 * others with the environment that it sees, past every hook.
 */
void sb_hide(char **envp, const void *headers, uint64_t count);
