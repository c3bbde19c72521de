/*
 * From a system call's registers to the paths that it names. Reads the tracee's memory: by
 * process_vm_readv, else by /proc/TID/mem; a path may end just before a page that is not there.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "common/buf.h"
#include "tracer/event.h"
#include "tracer/syscalls.h"

struct sb_call {
	enum sb_abi abi;
	long nr;
	uint64_t args[6]; /* as the ABI has them: 32-bit ones are zero-extended */
};

/* One path that a call names. */
struct sb_touch {
	uint8_t kind, op;    /* enum sb_kind, enum sb_op */
	uint8_t nofollow;    /* a last component that is a symlink stands for itself */
	int dirfd;	     /* AT_FDCWD or a descriptor */
	const char *path;    /* "": what dirfd is itself; in `text` of struct sb_touches */
	uint64_t open_flags; /* of an open; 0 else */
};

struct sb_touches {
	const struct sb_syscall *row;
	unsigned count; /* 0: nothing of interest, as a connect to another family */
	struct sb_touch touch[2];
	struct sb_buf text;
	char **argv; /* of an exec: as far as it could be read, NULL-terminated; NULL else */
};

/*
 * 0; -ESRCH: it is gone; -EFAULT: a pointer that leads nowhere (the call will say so too); -EPERM:
 * its memory is closed to us; -ENOSYS: the call is not in the table. Give the touches to _free()
 * whatever came.
 */
int sb_decode(pid_t tid, const struct sb_call *call, struct sb_touches *ret);
void sb_touches_free(struct sb_touches *touches);

/* A NUL-terminated string of at most `most` bytes, and memory as it is: same errors. */
int sb_read_string(pid_t tid, uint64_t address, size_t most, struct sb_buf *ret);
int sb_read_memory(pid_t tid, uint64_t address, void *ret, size_t size);

/* The same where the next thing to be read mostly lies close by: what is left of a page is read at
 * once, and kept. To be thrown away before the tracee goes on. */
struct sb_window {
	pid_t tid;
	uint64_t at;
	size_t len; /* 0: nothing yet */
	char bytes[4096];
};

int sb_window_memory(struct sb_window *window, uint64_t address, void *ret, size_t size);
int sb_window_string(struct sb_window *window, uint64_t address, size_t most, struct sb_buf *ret);
