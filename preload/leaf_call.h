/* How the leaf bodies write their system calls. Included by the leaf files only. */
#pragma once

#include <asm/unistd.h>

#include "preload/recorder.h"

#define SB_CALL(nr, ...) SB_CALL_(nr, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define SB_CALL_(nr, a, b, c, d, e, ...) \
	sb_call(nr, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)
