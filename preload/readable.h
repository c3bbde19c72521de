/*
 * Lists that the program hands on to an exec, looked at before we walk them: for a pointer that
 * leads nowhere the kernel has EFAULT, and we would crash.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether the pointers up to NULL may be read, and what they point to up to its end or `most`
 * bytes. NULL is an empty list. Costs a system call for each page; not for a sandboxed process,
 * which makes none of its own.
 */
bool sb_readable_list(char *const *list, size_t most);
