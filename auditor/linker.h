/*
 * The dynamic linker's own system calls, under a guard. Each of its opens and looks would be a
 * notification; so they are led to where they are made by the bypass, which the guard lets pass,
 * and recorded. What is not known for such a call is left alone: then the kernel tells of it, as of
 * everything.
 */
#pragma once

#include <stdbool.h>

/*
 * Once, after sb_start(), before the linker looks for anything but us: there is one thread.
 * False: they are made as ever; so in a process that has no guard, or may not use the bypass.
 */
bool sb_linker_plant(void);
