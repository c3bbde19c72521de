/*
 * The page at SB_PAGE, from which a guarded process makes the system calls that it records itself:
 * its guard tells them by their place.
 *
 * It is a page of the module's own text, moved there: two system calls, no file opened, and nothing
 * that becomes executable, so that it works under PR_SET_MDWE too.
 */
#pragma once

#include <stdbool.h>

/* Puts it there. False: the place is taken by somebody else, or the kernel refuses; no harm done.
 */
bool sb_page_map(void);

/*
 * A thread that is cancelled while it calls from the page is unwound through it: libgcc is told
 * how, once it is loaded. In no signal handler: libgcc allocates.
 */
void sb_page_tell_unwinder(void);
