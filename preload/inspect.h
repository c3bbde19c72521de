/*
 * What kind of program a file is, as far as it decides what may be loaded into it. Read once per
 * file and trace: the answer is kept in the log's header for everybody.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tracer/wire.h"

#define SB_SHEBANG_MAX 256 /* what the kernel reads of a #! line */

struct sb_program {
	uint64_t key;			  /* in the cache */
	uint64_t info;			  /* SB_PROG_*, static TLS bytes in the low half */
	bool gains;			  /* set-id or capabilities that this caller would gain */
	char interpreter[SB_SHEBANG_MAX]; /* of a script: what its #! line names */
};

/*
 * Looks at the file; dirfd and flags as fstatat takes them. 0, or -errno where it cannot be looked
 * at (an exec of it fails too, or it can be executed but not read: info is then 0). `log` may be
 * NULL: nothing is kept.
 */
int sb_inspect(struct sb_log_header *log, int dirfd, const char *path, int flags,
	       struct sb_program *ret_program);

/* Adds to what is known of a file. */
void sb_inspect_note(struct sb_log_header *log, uint64_t key, uint64_t info);
/* What is known of it, 0 nothing. */
uint64_t sb_inspect_known(struct sb_log_header *log, uint64_t key);

/* Whether notes, as a PT_NOTE segment holds them, tell of Go's linker: one has the owner "Go". */
bool sb_notes_go(const char *at, uint64_t size);
