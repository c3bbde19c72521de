/*
 * The recorder: what hooks call to say what the program did. Linked into both modules; where both
 * are in a process they share one state (the auditor hands its own to the preload), so one table of
 * repeats and one claim in the log serve both.
 *
 * Everything here is safe in a signal handler, in a vfork child, on a 16 KiB stack, before any
 * constructor ran and after every descriptor was closed. It allocates nothing, locks nothing, and
 * leaves errno alone. A process that is not traced (no SIDEBUNDLE_TRACE) passes straight through.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tracer/wire.h"

/* One access, as the program asked for it. */
struct sb_access {
	uint8_t kind;	  /* enum sb_kind */
	uint8_t op;	  /* enum sb_op, of a write */
	uint8_t flags;	  /* SB_REC_EXISTED, SB_REC_NEW, SB_REC_NOFOLLOW */
	int dirfd;	  /* AT_FDCWD or what a relative path is relative to */
	const char *path; /* a bad pointer is the caller's to find out: record after the system call
			     said no EFAULT */
	const char *by;	  /* load, search: the object that asked; else NULL */
	const char *target; /* of a symlink that was made; else NULL */
	int outcome;	    /* 0 or errno */
	int fd;		    /* what an open returned, -1 none */
	uint64_t arg;	    /* open flags */
};

/* Records it, or raises the count of the same one. NULL and empty paths are nothing to record. */
void sb_record(const struct sb_access *access);

/* The working directory has changed (chdir, fchdir): call after it did. */
void sb_record_moved(void);

/* Before a name that is relative to it is told: a guard may have seen it change. */
void sb_record_follow(void);

/* libc changes it on its own, again and again, from here to where it ends. */
void sb_record_wanders(bool begins);

/* Whether relative names are told by what the kernel says of the working directory. */
bool sb_record_strays(void);

/* chroot(2) itself, raw result: what the new root is called must be asked before. */
long sb_record_chroot(const char *path);

/* The program installs its own seccomp filter: from now on no system call that it did not ask for.
 */
void sb_record_sandboxed(void);
bool sb_recorder_sandboxed(void);

/* Whether this process is traced at all. */
bool sb_recorder_on(void);

/* Whether the audit module is in this process: loads and searches are then told by it alone. */
bool sb_recorder_audited(void);

/*
 * Whether `path` exists, for SB_REC_EXISTED or SB_REC_NEW before a call that may create it; 0 where
 * it cannot be asked (sandboxed).
 */
uint8_t sb_record_existed(int dirfd, const char *path);

/*
 * A system call of our own, and one of the program's that will be recorded whatever comes of it;
 * -errno. In a guarded process both are made by the bypass, which its guard lets pass, where that
 * is open: what is called by the bypass and not recorded is lost.
 */
long sb_raw(long nr, long a, long b, long c, long d, long e, long f);
long sb_call(long nr, long a, long b, long c, long d, long e, long f);
/* False: the guard is told of each call by the kernel, and what is recorded would be told twice. */
bool sb_recorder_tells(void);

/* -4095..-1 becomes -1 with the program's errno set; everything else is returned as it is. */
long sb_errno_return(long raw);
int sb_errno_get(void);
void sb_errno_set(int value);
/* For who does not find it by name: the audit module has a namespace of its own. */
void sb_errno_at(int *(*location)(void));

/*
 * The definition of `name` that comes after this module in the program's search order: what
 * dlsym(RTLD_NEXT) would give, without importing dlsym. Default versions only. NULL where there is
 * none. Look up once, keep it in a static pointer (storing it twice does no harm).
 */
void *sb_next(const char *name);
