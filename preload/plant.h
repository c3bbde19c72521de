/*
 * Detours in libc: its leaf functions, those that make the system calls which name paths, begin
 * with a jump to ours. So what libc opens for itself is told as well, where hooks by symbol see
 * nothing.
 *
 * Only where each is what it is expected to be (preload/entry.h), libc's text may be written, and
 * the result works; whatever cannot be planted is left as it is, and its hook by symbol tells
 * alone. What stays untold then is a blind spot, SB_BLIND_LIBC.
 */
#pragma once

#include <stdint.h>

/*
 * Once, after libc was relocated, while there is one thread: by the audit module before any
 * constructor runs; else by our own. Does nothing in a process that is not traced.
 */
void sb_plant(void);

/*
 * The detours of one family (preload/below.h) that are not planted before they are needed: under a
 * guard, where there is one thread. Nothing happens the second time.
 */
void sb_plant_later(uint32_t family);
