/*
 * The system calls that name a path, start a program, or change what a relative path means: one
 * table (syscalls.def) for the seccomp filter, the decoder, and every backend that sees system
 * calls.
 *
 * Numbers are each ABI's own (the kernel's syscall_64.tbl, syscall_32.tbl and
 * asm-generic/unistd.h); x32 numbers carry no __X32_SYSCALL_BIT in the table, it is taken off
 * before the look-up.
 */
#pragma once

#include <stdint.h>

#include "tracer/event.h"

enum sb_abi { SB_ABI_X86_64, SB_ABI_I386, SB_ABI_X32, SB_ABI_AARCH64, SB_ABI_COUNT };

/* What the call does, beyond its row's kind and op. */
enum sb_act {
	SB_ACT_ACCESS,	  /* looks at or changes one path */
	SB_ACT_ATTRIBUTE, /* the same; that there is no such attribute is no failure */
	SB_ACT_OPEN,	  /* open flags tell reading from writing */
	SB_ACT_OPENAT2,	  /* the same, in a struct open_how */
	SB_ACT_HANDLE,	  /* open_by_handle_at: a file without a path */
	SB_ACT_EXEC,	  /* path, argv */
	SB_ACT_TWO,	  /* two paths: rename, link */
	SB_ACT_LIST,	  /* reads the directory that a descriptor is */
	SB_ACT_CHDIR,	  /* by path */
	SB_ACT_FCHDIR,	  /* by descriptor */
	SB_ACT_CHROOT,	/* chroot, pivot_root, setns, unshare: absolute paths mean something else */
	SB_ACT_SOCKET,	/* connect, bind: a sockaddr, of AF_UNIX or not */
	SB_ACT_SOCKETS, /* i386 socketcall: one of the above, arguments in memory */
	SB_ACT_URING,	/* io_uring_setup: opens that no filter will see */
	SB_ACT_FILTER,	/* seccomp, prctl(PR_SET_SECCOMP): it filters itself */
	SB_ACT_PTRACE,	/* it is a tracer itself */
	SB_ACT_CLONE,	/* a child that is not to be traced, or sees other mounts */
};

struct sb_syscall {
	const char *name;
	int16_t nr[SB_ABI_COUNT]; /* -1: this ABI has none */
	uint8_t act;		  /* enum sb_act */
	uint8_t kind, op;	  /* enum sb_kind, enum sb_op */
	int8_t dirfd, path;	  /* which argument; -1: none (dirfd: the working directory) */
	int8_t dirfd2, path2;	  /* of SB_ACT_TWO: the second path */
	int8_t flags;		  /* open flags, AT_ flags; -1 none */
	uint8_t nofollow;	  /* enum sb_nofollow */
};

/* Whether a symlink in the last place stands for itself. */
enum sb_nofollow {
	SB_FOLLOW,	    /* no: it is followed */
	SB_NOFOLLOW,	    /* always */
	SB_NOFOLLOW_FLAG,   /* where flags have AT_SYMLINK_NOFOLLOW */
	SB_NOFOLLOW_UNLESS, /* where flags lack AT_SYMLINK_FOLLOW */
	SB_NOFOLLOW_INOTIFY /* where flags have IN_DONT_FOLLOW */
};

/* The table, by row. */
extern const struct sb_syscall sb_syscalls[];
extern const unsigned sb_syscall_count;

/* The row of a number, with x32's bit or without; NULL: not one of ours. */
const struct sb_syscall *sb_syscall_find(enum sb_abi abi, long nr);
/* The ABI of AUDIT_ARCH_* and a number (x32 shares x86_64's arch); -EINVAL: foreign. */
int sb_syscall_abi(uint32_t audit_arch, long nr);
