/*
 * The event: one thing that a process did to a path. Every backend writes these; the trace file
 * (tracer/trace.h) holds them; the bundler reads them.
 */
#pragma once

#include <stdint.h>

/* The order is part of the wire form; names are in sb_kind_name(). */
enum sb_kind {
	SB_EXEC,     /* a program was started */
	SB_OPEN,     /* opened for reading, a directory too */
	SB_LOAD,     /* the dynamic linker mapped it; `by` says for whom */
	SB_SEARCH,   /* the dynamic linker looked there in vain */
	SB_STAT,     /* stat, access, chdir: looked at, not opened */
	SB_READLINK, /* the link itself was read */
	SB_LIST,     /* directory read */
	SB_WRITE,    /* opened for writing, created, renamed, removed: see enum sb_op */
	SB_CONNECT,  /* AF_UNIX socket path */
	SB_KIND_COUNT
};

/* What a write did. */
enum sb_op {
	SB_OP_NONE,
	SB_OP_OPEN, /* opened for writing (created too, where it was not there: see `existed`) */
	SB_OP_MKDIR,
	SB_OP_MKNOD,
	SB_OP_SYMLINK,
	SB_OP_LINK,   /* the new name of a hard link */
	SB_OP_RENAME, /* the new name */
	SB_OP_MOVED,  /* the old name of a rename */
	SB_OP_REMOVE, /* unlink, rmdir */
	SB_OP_CHANGE, /* truncate, chmod, utimes: changed by name */
	SB_OP_COUNT
};

enum sb_tri { SB_TRI_UNKNOWN = -1, SB_NO = 0, SB_YES = 1 };

/* Outcome: 0 worked, an errno, or this: not known. */
#define SB_OUTCOME_UNKNOWN (-1)

/* Why a process could not be watched fully. Names, and a line for people, in sb_blind_name(). */
enum sb_blind {
	SB_BLIND_STATIC,	 /* no dynamic linker: nothing of ours is in it */
	SB_BLIND_SETID,		 /* set-id or file capabilities: the linker ignores our modules */
	SB_BLIND_FOREIGN,	 /* other ELF class or machine */
	SB_BLIND_SANITIZER,	 /* ASan, TSan: audit module only, no preload */
	SB_BLIND_STATIC_TLS,	 /* too much static TLS: runs without the audit module */
	SB_BLIND_UNREACHABLE,	 /* modules or log not reachable from there (chroot, 0700 home) */
	SB_BLIND_SILENT,	 /* started, and never said hello */
	SB_BLIND_OUTLIVED,	 /* still running when the trace ended */
	SB_BLIND_LOST,		 /* records that found no room */
	SB_BLIND_SANDBOX,	 /* its own seccomp filter kept us from asking for more */
	SB_BLIND_PRIVILEGE_LOST, /* ran under no_new_privs, without its privilege */
	SB_BLIND_URING,		 /* io_uring was allowed: what it opened was not seen */
	SB_BLIND_MEMORY,	 /* we may not read its memory: its paths were not seen */
	SB_BLIND_DEBUGGER,	 /* refused as a debugger: one tracer is all that there can be */
	SB_BLIND_NESTED,	 /* a trace of its own began there: its modules, not ours */
	SB_BLIND_LIBC,		 /* hooks by symbol alone: what libc does for itself was not seen */
	SB_BLIND_DIED,		 /* the tracer was killed, and the command ran on */
	SB_BLIND_RAW,		 /* Go: past libc, it makes its own system calls */
	SB_BLIND_MOUNTED,	 /* not watched from its beginning, or not at all: a file system */
	SB_BLIND_UNNAMED, /* in a directory that has no name: too deep, or no /proc to say it */
	SB_BLIND_COUNT
};

struct sb_event {
	enum sb_kind kind;
	enum sb_op op;	     /* of a write */
	enum sb_tri existed; /* of a write: was it there before the run? */
	int outcome;	     /* 0, errno, SB_OUTCOME_UNKNOWN */
	uint32_t process;    /* index into the trace's processes */
	uint64_t count;	     /* how often */
	const char *path;    /* absolute, as the program meant it; ".." may be left in it */
	const char *real;    /* after symlinks; NULL where it is not known */
	const char *by;	     /* load, search: the object that asked; of a symlink that was made:
				what it holds, where that is known; else NULL */
	const char *backend; /* who saw it */
};

const char *sb_kind_name(enum sb_kind kind);
const char *sb_op_name(enum sb_op op);
const char *sb_blind_name(enum sb_blind blind);
/* One phrase for people: "statically linked: its file accesses were not seen". */
const char *sb_blind_text(enum sb_blind blind);

/* The other way round; -EINVAL for a name that is none. */
int sb_kind_parse(const char *name);
int sb_op_parse(const char *name);
int sb_blind_parse(const char *name);
