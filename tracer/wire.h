/*
 * The log: how a traced process tells the collector what it did, without a descriptor, a lock or a
 * system call per event.
 *
 * One file, made by the collector, mapped shared by everybody: a header of SB_LOG_HEADER bytes,
 * then chunks of SB_CHUNK bytes. Order of things:
 *
 *   collector  makes the file (random name, 0600), allocates the storage of some chunks ahead
 *              (fallocate: a full tmpfs would otherwise raise SIGBUS in a tracee), publishes their
 *              number in `allocated`, and keeps raising it.
 *   tracee     at start maps the header, claims a chunk (compare-and-swap on `next`, never past
 *              `allocated`), maps it, closes the descriptor, writes SB_REC_HELLO. When a chunk is
 * full it claims another: open, mmap, close. Tracees never extend the file (RLIMIT_FSIZE) and map
 *              one chunk at a time (RLIMIT_AS). No chunk to be had: it waits for some seconds
 *              (a futex: `allocated`), then `lost` is raised, and life goes on.
 *   record     is reserved by compare-and-swap of its `word` from 0 to size|SB_REC_RESERVED: so
 * there is never a hole of unknown size, whoever dies when. Then filled, then published by storing
 *              size|SB_REC_DONE with release order. Chunks start as zeroes.
 *   collector  reads records up to the first zero word, steps over reserved ones (and comes back
 * for them while their process lives), and reads `count` and a pending outcome again when the chunk
 * is retired or its process is gone; then gives the storage back by punching a hole. Chunk numbers
 * are never used twice.
 *
 * A process image is named by the number of the first chunk that it claimed, plus one. A fork that
 * runs on without exec is an image of its own (MADV_WIPEONFORK tells it, or getpid where the kernel
 * is older than 4.14); a vfork child writes into its parent's image until it execs.
 *
 * A path is absolute, or relative to the working directory or to `dirfd`. What the working
 * directory and the root were is told once per change by SB_REC_WHERE records, and every record
 * names its generation. A record that is relative to a descriptor carries that directory's path as
 * its second string (flag SB_REC_DIR), as /proc/self/fd told it, unless the process was sandboxed
 * by then.
 *
 * Used in traced processes: nothing but fixed-width types and compiler builtins.
 */
#pragma once

#include <stdint.h>

#include "tracer/event.h"

#define SB_LOG_MAGIC   0x31474f4c45444953u /* "SIDELOG1", little endian */
#define SB_LOG_VERSION 1u
#define SB_LOG_HEADER  65536u
#define SB_CHUNK       32768u
#define SB_CHUNK_MAGIC 0x4b4e4843u /* "CHNK" */
#define SB_PROG_SLOTS  2048u

/* The tracee's environment: SIDEBUNDLE_TRACE=TOKEN[.FLAGS]:PATH, TOKEN the hexadecimal place of the
 * exec record that started this image (0: the first), FLAGS as in preload/start.h, PATH the log's.
 * A static program hands it on to its children: several images may name one token. */
#define SB_ENV_TRACE "SIDEBUNDLE_TRACE"

/* The modules' files, which stand last in the tracee's LD_PRELOAD and LD_AUDIT. */
#define SB_PRELOAD_NAME "sidebundle-preload.so"
#define SB_AUDIT_NAME	"sidebundle-audit.so"

/*
 * What a guard's filter knows the calls by that the modules make and record (preload/bypass.h): a
 * number in the sixth argument, which no call that it would report has, and where in its page the
 * instruction behind lies. It says who records a call; whoever means to deceive can say so, too.
 */
#define SB_PASS 0x6a1d9be37c0f5824
#if defined(__x86_64__)
#define SB_PASS_SITE 18u
#elif defined(__aarch64__)
#define SB_PASS_SITE 24u
#else
#error "no bypass for this machine: see tracer/wire.h"
#endif

/* The same of the exec by which the audit module has an image begin once more, which passes no
 * filter: the image is still the one that it was. */
#define SB_AGAIN 0x6a1d9be37c0f5825

/* So much further from the linker's call the name of the audit module may lie, by the program's own
 * thread-local variables: see tracer/opening.h. */
#define SB_OPENING_SPAN 0x30u

/* What an exec hook learned about a program file, for all who exec it later: see `info` bits. */
struct sb_log_prog {
	uint64_t key;  /* sb_hash-like of dev, ino, size, mtime, ctime; 0 free; stored last, once */
	uint64_t info; /* SB_PROG_* | static TLS bytes in the low 32 bits */
};

#define SB_PROG_STATIC	  (1ull << 32)
#define SB_PROG_SETID	  (1ull << 33)
#define SB_PROG_FOREIGN	  (1ull << 34)
#define SB_PROG_SANITIZER (1ull << 35) /* libasan or libtsan needed: no preload */
#define SB_PROG_NO_AUDIT  (1ull << 36) /* too much static TLS: no audit module */
#define SB_PROG_MUSL	  (1ull << 37)
#define SB_PROG_SCRIPT	  (1ull << 38)
#define SB_PROG_KNOWN	  (1ull << 39) /* set in every entry */
#define SB_PROG_LINKED	  (1ull << 41) /* it names a dynamic linker */
#define SB_PROG_GO	  (1ull << 40) /* linked by Go: it makes its own system calls */
#define SB_PROG_PRELOAD	  (1ull << 42) /* its libc is not the one of the text: see libctext.h */

/*
 * Where the text of a dynamic linker makes system calls (auditor/sites.h), found by the first image
 * that has this one, for all others.
 */
#define SB_LINKERS	4u
#define SB_LINKER_SITES 8u
struct sb_log_linker {
	uint64_t key; /* what tells it from others; 0 free, or not found yet; stored last; atomic */
	uint32_t claimed; /* atomic */
	uint32_t count;
	uint32_t sites[SB_LINKER_SITES]; /* offsets in its text */
};

struct sb_log_header {
	uint64_t magic;
	uint32_t version;
	uint32_t chunk_size;
	uint64_t next;	    /* chunk to be claimed next; atomic */
	uint64_t allocated; /* chunks that have storage; raised by the collector alone, who wakes
			       those who wait for it (a futex); atomic */
	uint64_t lost;	    /* records that found no room; atomic */
	uint32_t closed;    /* the trace has ended: claim no more; atomic */
	uint32_t pad_;
	uint64_t lost_sandboxed; /* of `lost`: because the process had its own seccomp filter;
				    atomic */
	/* Raised when a guarded process has moved, or changed what names mean, by calls that its
	 * guard is not told of; atomic. */
	uint64_t moves;
	/* Raised by a guard when somebody is about to change the working directory by a call that
	 * was not made from the page: it may be anybody, who has to look where it stands; atomic.
	 */
	uint64_t strays;
	/* Raised before each exec that is made from the page: the guard is not told of it; atomic.
	 */
	uint64_t execs;
	uint32_t libctext; /* enum sb_libctext_at: where there is a text for libc */
	uint32_t owner;	   /* the user whose that is, where others might put theirs */
	uint64_t starved;  /* `allocated` when waiting for more was given up, plus one; atomic */
	/* Opens that the guard lets pass untold, as the audit module's look like them: as in struct
	 * sb_opening (tracer/opening.h). */
	uint32_t opening_distance; /* 0: there are none */
	uint32_t opening_site;
	uint64_t reserved_[3];
	struct sb_log_linker linker[SB_LINKERS];
	struct sb_log_prog prog[SB_PROG_SLOTS];
};

struct sb_chunk {
	uint32_t magic;	  /* stored last, with release order: an owner is named before it shows */
	int32_t pid;	  /* who claimed it; 0: it was sandboxed, and could not ask */
	uint64_t image;	  /* first chunk of the image, plus one */
	uint32_t retired; /* the owner has unmapped it; atomic */
	uint32_t pad_[3];
	/* records follow, 8-byte aligned */
};

#define SB_REC_RESERVED 0x80000000u
#define SB_REC_DONE	0x40000000u
#define SB_REC_SIZE	0x0000ffffu

/* Records beyond enum sb_kind. */
enum sb_rec_kind {
	SB_REC_HELLO = 32, /* strings: cwd, argv[0..]; arg: token; value: ppid; fork children: dirfd
			    * = 1, arg = parent image; with SB_REC_DIR the program follows cwd, as
			    * its exec was not seen; SB_REC_BYPASS */
	SB_REC_WHERE, /* strings: cwd ("" unchanged, SB_NOWHERE), root ("" unchanged); `where` is
		       * the new generation */
	SB_REC_BLIND, /* strings: path; value: enum sb_blind; arg: exec record's place or 0 */
};

/* Of a process that has moved, and may not ask where to. */
#define SB_NOWHERE "?"

#define SB_REC_DIR     0x01u /* a second string follows the path: the directory of dirfd */
#define SB_REC_EXISTED 0x02u /* write: it was there before */
#define SB_REC_NEW     0x04u /* write: it was not; neither bit: not known */
#define SB_REC_CUT     0x08u /* strings did not fit and were cut (argv only) */
#define SB_REC_NOFOLLOW                                                          \
	0x10u /* the last component was not followed (lstat, O_NOFOLLOW, unlink) \
	       */

#define SB_REC_BYPASS 0x20u /* hello: the process calls by the bypass, see SB_PASS */
#define SB_REC_TARGET 0x80u /* the last string is what the new symlink holds */
#define SB_REC_PASSED 0x40u /* exec: made by the bypass, set just before it is; atomic */

/*
 * Outcome of an exec: pending while it may still fail. What succeeded never comes back to say so; a
 * failure is stored over it by the hook that returns. A pending exec whose process has gone on is a
 * success.
 */
#define SB_OUTCOME_PENDING (-2)

struct sb_rec {
	uint32_t word;	 /* size | state; 0: nothing here yet; atomic */
	uint8_t kind;	 /* enum sb_kind or enum sb_rec_kind */
	uint8_t flags;	 /* SB_REC_* */
	uint8_t op;	 /* enum sb_op */
	uint8_t strings; /* how many follow, each NUL-terminated; 255: as many as fit the size,
			  * padding without NUL behind them */
	uint32_t count;	 /* how often; raised by repeats; atomic */
	int32_t outcome; /* 0, errno, SB_OUTCOME_UNKNOWN, SB_OUTCOME_PENDING; atomic for an exec */
	uint32_t where;	 /* generation of cwd and root */
	int32_t dirfd;	 /* AT_FDCWD, or what the path is relative to */
	int32_t value;	 /* descriptor returned by an open (-1 none); 1 of an exec that libc may
			  * make by the bypass for us; else by kind */
	uint32_t tick; /* when, for order among processes: the cycle counter / 1024; 0 not known */
	uint64_t arg;  /* open: flags; the rest by kind */
	char text[];   /* open...: path [, directory] [, target]; load, search: path, by; exec: path
			  [,   directory], argv... */
};

/* A record's place: chunk number times SB_CHUNK plus its offset in the chunk; 0 is none. */
#define SB_PLACE(chunk, offset) ((uint64_t)(chunk)*SB_CHUNK + (offset))

_Static_assert(sizeof(struct sb_log_header) <= SB_LOG_HEADER, "log header outgrew its room");
_Static_assert(sizeof(struct sb_rec) == 40, "record layout");
_Static_assert(sizeof(struct sb_chunk) % 8 == 0, "records are 8-byte aligned");
