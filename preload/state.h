/*
 * What the recorder keeps in a traced process. One state per process: the audit module's where it
 * is there, which hands it to the preload (sb_share, before the preload is relocated), else the
 * preload's own.
 *
 * Every field that two threads, a signal handler or a vfork child can meet is atomic by builtins.
 */
#pragma once

#include <linux/limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "preload/recorder.h"

#define SB_WINDOWS 16u /* chunks kept mapped: as many records as there are repeats to be known */
#define SB_SPARES  8u  /* chunks claimed ahead when a process sandboxes itself */
#define SB_NAMES   256u

/* Slots of the tables of repeats, see preload/repeats.h. */
#define SB_REPEATS_FEW	192u
#define SB_REPEATS_MORE 512u
#define SB_REPEATS	4096u

enum sb_phase { SB_UNTOUCHED, SB_STARTING, SB_ON, SB_OFF };

/* A chunk that is mapped here. `state`: 0 free, 1 changing hands, else its serial number, shifted.
 */
struct sb_window {
	uint32_t state;
	uint32_t users; /* who is inside now; never unmapped while there are any */
	uint32_t used;	/* a hint: no free room before this offset */
	struct sb_chunk *chunk;
	uint64_t number; /* in the log */
	uint64_t image;	 /* who claimed it */
};

/*
 * Where a record is in this process: serial, window and offset packed in a word; 0 none. It goes
 * stale when the window does, and is then refused.
 */
#define SB_REF(serial, window, offset) \
	((uint64_t)(serial) << 24 | (uint64_t)(window) << 16 | (uint64_t)(offset) / 8)

struct sb_repeat {
	uint64_t hash;
	uint64_t sealed; /* the record's ref, with the hash in it: of another pair it is none */
};

/*
 * What a fork child shall not have of its parent's: the kernel wipes it there (Linux 4.14). The
 * beginning is one page, and all that most programs ever touch of it.
 */
struct sb_passing {
	uint32_t settled; /* SB_SETTLED when this image is known; wiped: a fork child */
	uint32_t known;	  /* repeats that were put into the tables */
	uint32_t lending; /* a popen has lent `environ` */
	uint32_t pad_;
	struct sb_repeat few[SB_REPEATS_FEW];
	char name[PATH_MAX]; /* ld.so's, of what it may load next; before, of the cwd */
	struct sb_repeat more[SB_REPEATS_MORE] __attribute__((aligned(4096)));
	struct sb_repeat many[SB_REPEATS];
};

#define SB_SETTLED 2u

/*
 * It lies in the one page of the module that the dynamic linker writes to anyhow: a page that is
 * touched costs every exec a page fault, dearer than a system call. What is large is in mappings of
 * its own.
 */
struct sb_recorder {
	uint32_t phase;	    /* enum sb_phase */
	uint32_t sandboxed; /* no system call of our own any more */
	uint32_t switching; /* somebody is fetching the next chunk */
	uint32_t strayed;   /* a vfork child has moved: its cwd is not this image's */
	uint32_t wanders;   /* walks of libc's that change the working directory unseen */
	uint32_t where;	    /* generation of cwd and root */
	uint32_t where_next;
	uint32_t epoch; /* raised when names may have come to mean other files */
	uint32_t serial;
	int32_t pid;
	uint32_t hidden;   /* our variables are out of the program's sight */
	uint32_t below;	   /* enum sb_below: told where libc calls the kernel */
	uint32_t planted;  /* the detours in libc were tried, see preload/plant.h */
	uint32_t alone;	   /* the audit module does for the preload, see auditor/libctext.h */
	uint32_t unnamed;  /* it was told that a name could not be made out */
	uint32_t too_deep; /* the working directory's name is longer than any that can be told */
	uint32_t sought;   /* families of those that come later, as far as they were tried */
	uint32_t guarded;  /* a guard is told of every call that is not made by the bypass */
	uint32_t bypass;   /* what we record passes the guard: see preload/bypass.h */
	uint64_t image;	   /* first chunk plus one */
	uint64_t current;  /* window<<32 | its state: where records go */
	uint64_t claimed;  /* a chunk that was claimed and could not be mapped, plus one */
	uint64_t token;	   /* place of the exec record that started this image */
	uint64_t strays;   /* the log's, as it was when the cwd was last looked at */
	uint32_t wiped;	   /* the kernel does wipe `passing` */
	void *stays;	   /* where it cannot: a page that a fork child lacks */
	struct sb_passing *passing;
	struct sb_log_header *log;
	const char *log_path;
	const char *modules;	   /* directory of our modules */
	char *root;		   /* what this process calls /; NULL: as it was born */
	uint64_t spare[SB_SPARES]; /* as `current` */
	char flags[16];		   /* of the variable, see preload/start.h */
	char names[SB_NAMES];	   /* the log's and the modules', where they fit */
	struct sb_window windows[SB_WINDOWS];
};

/* The preload exports one of these as `sidebundle_share`; `size` tells that both are of one build.
 */
struct sb_share {
	struct sb_recorder *state;
	uint64_t size;
	void (*plant)(void); /* once it is relocated: to be called before any constructor */
};
#define SB_SHARE_NAME "sidebundle_share"
extern struct sb_share sidebundle_share;
/* NULL: none was handed over. In the audit module: always. */
struct sb_recorder *sb_shared_state(void);

/* The state in use. */
struct sb_recorder *sb_self(void);

#define sb_load(p)     __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define sb_store(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define sb_add(p, v)   __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)
#define sb_sub(p, v)   __atomic_fetch_sub(p, v, __ATOMIC_SEQ_CST)
#define sb_swap(p, v)  __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define sb_cas(p, want, v) \
	__atomic_compare_exchange_n(p, want, v, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
