/*
 * How it looks to a seccomp filter that the dynamic linker opens our audit module: every program
 * does so as it starts, and to be told of that costs it a tenth of its start. The name that is
 * opened is the first thing that the linker makes room for after the program's own static TLS, so
 * it lies at the same distance from the instruction that opens it in every process with the same
 * linker; but for some bytes more, where the program has thread-local variables
 * (SB_OPENING_SPAN in tracer/wire.h). And the register of a sixth argument, which open has not,
 * still tells a file that was asked for by its path from one that was searched for.
 *
 * So something else that is asked for by its path, and lies there, looks like it: where another
 * auditor comes before ours, or ours does not come at all. Whoever lets such opens pass has to tell
 * of them himself: in a process with our module that does (auditor/passed.h), for one without it
 * there is sb_opening_missed().
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"

struct sb_opening {
	uint32_t distance; /* low half, from the instruction that follows the call to the name */
	uint32_t sixth;	   /* what that register holds, low half */
	uint32_t offset;   /* of that instruction, from where the linker is mapped */
	uint16_t site;	   /* where in its page it lies */
};

/*
 * Learns it from a program (ours) that starts with `envp`, where the name of the module is
 * `module`; it gets no further than that. False: that cannot be done here, or `envp` has another
 * auditor come first.
 */
bool sb_opening_learn(const char *module, char *const *envp, struct sb_opening *ret);

/* How an image begins that was just made; its first call is under way. */
enum sb_beginning {
	SB_BEGINS_WITH_US,   /* or not by that linker: nothing is missed */
	SB_BEGINS_WITHOUT,   /* sb_opening_missed() tells, until the linker reads other files */
	SB_BEGINS_AUDITED,   /* the same; there is something to be told, or it is not there any more
			      */
	SB_BEGINS_PRELOADED, /* the same; and what it preloads by a path may come to lie there */
};

enum sb_beginning sb_opening_begins(pid_t pid, const char *module,
				    const struct sb_opening *opening);
/*
 * Whether something else was opened in our module's place, of an image that begins without it;
 * *ret: by which name. That is another auditor, before which the linker may ask where the program
 * lies; or the program, where the linker is run as one itself. `is_file` tells of a name that lies
 * there whether it is one that was opened: it may be something else, or the remains of it.
 */
bool sb_opening_missed(pid_t pid, const struct sb_opening *opening,
		       bool (*is_file)(void *arg, const char *name), void *arg, struct sb_buf *ret);
/* Whether the process has mapped the file of that real path. */
bool sb_opening_maps(pid_t pid, const char *path);
