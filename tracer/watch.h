/*
 * Processes watched from outside, by the system calls that they make: who they are, where they
 * stand, and what their calls mean. What ptrace and seccomp notification share; it delivers to the
 * sink.
 *
 * Order: sb_watch_new(); sb_watch_first() once the command is started; then for every call of the
 * table sb_watch_enter(), and when its outcome is known sb_watch_leave(), or sb_watch_guess() and
 * _conclude() right away where it never will be; _fork(), _exec(), _gone() as they come;
 * sb_watch_finish() and _free().
 *
 * A thread is named by its tid, a process by the tid of its leader. Threads that were never
 * announced are looked up in /proc. Working directory and root are remembered, until a call may
 * have changed them.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "tracer/decode.h"
#include "tracer/opening.h"
#include "tracer/sink.h"

struct sb_watch;

enum sb_watch_step {
	SB_WATCH_BORN,	 /* a process was heard of for the first time */
	SB_WATCH_BECAME, /* it runs another image from here on; not told of the command's first */
	SB_WATCH_NUMBER, /* the image that it runs has this number in the trace */
};

struct sb_watch_spec {
	struct sb_sink *sink;
	const char *backend; /* static: who saw it */
	/* Or as good as: set-id programs run without their privilege. A blind spot. */
	bool no_new_privs;
	/* The processes have modules of ours: an exec that bears SB_AGAIN makes no new image. */
	bool with_modules;
	/* The one whose opening is not told of, where something else may look like it: as in
	 * sb_opening_missed(). NULL: every opening is told of. */
	const char *module;
	const struct sb_opening *opening;
	/* No more is heard of this image here. NULL: then that is all that there is of it. */
	void (*done)(void *arg, uint32_t number);
	/* For who keeps books of his own: both may be NULL. */
	void (*met)(void *arg, enum sb_watch_step step, pid_t pid, uint32_t number);
	void (*told)(void *arg, const struct sb_event *ev); /* to the sink, just now */
	void *arg;
};

int sb_watch_new(const struct sb_watch_spec *spec, struct sb_watch **ret, struct sb_err *err);
void sb_watch_free(struct sb_watch *w);

/* The command, which is about to exec `program` in `cwd`. */
void sb_watch_first(struct sb_watch *w, pid_t pid, const char *program, char *const *argv,
		    const char *cwd);

/*
 * A new process or thread, where the backend is told of it before it or its parent runs on. `same`:
 * it stands where its parent does, in the same mount namespace.
 */
void sb_watch_fork(struct sb_watch *w, pid_t parent_tid, pid_t child_tid, bool thread, bool same);
/*
 * `tid` called exec, and it worked: the process is a new image now, its other threads are gone, and
 * its leader is `pid`. Tells the exec, the interpreters that #! lines name, and the program's ELF
 * interpreter. The call that sb_watch_enter() gave for it is freed; those of the other threads are
 * to be dropped before.
 */
void sb_watch_exec(struct sb_watch *w, pid_t pid, pid_t tid);
void sb_watch_gone(struct sb_watch *w, pid_t tid);

/* A call under way: what it named, made absolute before the call could change anything. */
struct sb_watch_call;

/*
 * `tid` makes this call. *ret is NULL where there is nothing to wait for. -ESRCH, -EPERM as
 * sb_decode() (with -EPERM the blind spot is noted).
 */
int sb_watch_enter(struct sb_watch *w, pid_t tid, const struct sb_call *call,
		   struct sb_watch_call **ret);
/* It is to be told of while its thread stands still: there are names that lead by way of it. */
bool sb_watch_holds(const struct sb_watch_call *call);
/* It came back with `result` (-errno), and is told to the sink. Frees the call. */
void sb_watch_leave(struct sb_watch *w, struct sb_watch_call *call, long result);
/*
 * It will not be heard of again: the outcome is looked up now, before the call goes on, as far as
 * that can tell; unknown else. Once it goes on, and before any other call, _conclude() tells it,
 * and frees the call. An exec stays open until the process is heard of again.
 */
void sb_watch_guess(struct sb_watch *w, struct sb_watch_call *call);
void sb_watch_conclude(struct sb_watch *w, struct sb_watch_call *call);
/* Its thread ended in the middle: it may have done its work. Frees the call. */
void sb_watch_cut(struct sb_watch *w, struct sb_watch_call *call);
void sb_watch_drop(struct sb_watch *w, struct sb_watch_call *call);

/* What an image tells of itself by other means, where two share one trace. */
struct sb_watch_image {
	pid_t pid; /* 0: not one that we could know it by */
	pid_t ppid;
	int64_t parent; /* number in the trace; -1 not known */
	bool forked;
	bool executed;		 /* it says hello itself: by its process, it is the latest image */
	bool passed;		 /* and its exec, in `root`, was none of those that are told here */
	bool gone;		 /* it has been looked for, and was not found */
	uint64_t started;	 /* of the process; 0 not known */
	const char *root;	 /* "" this machine's own */
	const char *exe, *cwd;	 /* exe with the root, cwd within it; NULL not known */
	const char *real;	 /* of `exe` when it was executed, with the root; NULL not known */
	const char *const *argv; /* NULL not known */
	/* It was not `parent` itself that made the exec, but a vfork child of it. */
	bool by_child;
	const char *parent_exe; /* NULL not known */
};
/*
 * The number of the image that this process runs now; a new one, where it was never heard of, or
 * where its exec is told by this: with all that belongs to one, as by sb_watch_exec().
 */
uint32_t sb_watch_image(struct sb_watch *w, const struct sb_watch_image *image);
/* Somebody may have moved, or have changed what names mean, unseen. */
void sb_watch_stale(struct sb_watch *w);
/* So many execs have been made, by anybody, which are told by sb_watch_image() alone. */
void sb_watch_passes(struct sb_watch *w, uint64_t count);
/* From time to time: those that went without a word are taken off. */
void sb_watch_sweep(struct sb_watch *w);

/* The number in the trace of the image that `tid` runs now; -1: nobody that was heard of. */
int64_t sb_watch_number(struct sb_watch *w, pid_t tid);
/* Those that were heard of and still run; as sb_collector_running(). */
size_t sb_watch_running(struct sb_watch *w, pid_t *pids, size_t cap);
/* Settles what is open, and notes who lives on. */
void sb_watch_finish(struct sb_watch *w);
