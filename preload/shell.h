/* The shell as system and popen run it. */
#pragma once

#define SB_SHELL      "/bin/sh"
#define SB_SHELL_ARGS 5

/* Fills SB_SHELL_ARGS words with what this libc would run `command` by. */
void sb_shell_argv(const char **argv, const char *command);
