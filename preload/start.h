/*
 * How a process comes to be traced: the variable SIDEBUNDLE_TRACE=TOKEN[.FLAGS]:LOG, where
 * LD_PRELOAD and LD_AUDIT say where our modules are. Flags, one letter each:
 *
 *   s  it runs under a seccomp filter that its ancestor put on itself: no system call that ld.so
 *      would not make
 *   t  our suffix stands in GLIBC_TUNABLES
 *   m  the audit module measures static TLS, and starts the image again
 *   p  it keeps the preload: libc's text is not replaced (auditor/libctext.h)
 *   x  handed on by a static program, whose execs nobody sees
 *   g  guarded: the kernel reports every call that is not made by the bypass (preload/bypass.h)
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "preload/state.h"

/* Opens the log and says hello. argv may be NULL: then it is asked of /proc. False: not traced, or
 * no way to the log. */
bool sb_start(char *const *argv, char *const *envp);
/* The same from the libc's environment, at the first hook. */
bool sb_start_late(void);

/* A fork child that runs on becomes an image of its own. */
void sb_fork_check(struct sb_recorder *st);

bool sb_flag(const struct sb_recorder *st, char flag);
/* The flags for what this image starts: this one (0 none) and those that are handed on. */
const char *sb_flags_with(const struct sb_recorder *st, char flag);
