/*
 * What the parts of sb_watch share: watch.c knows who there is, watch_left.c who is left of them,
 * watch_place.c where they stand, watch_call.c what their calls come to, watch_exec.c how one image
 * becomes another, watch_program.c what its file says, watch_guess.c what a call will come to where
 * nobody tells.
 */
#pragma once

#include "common/buf.h"
#include "common/map.h"
#include "tracer/proc.h"
#include "tracer/realpath.h"
#include "tracer/watch.h"

#define WATCH_BUCKETS 4096u /* a power of two */

/* Where a process stands. Strings are interned. */
struct watch_place {
	const char *root; /* in front of what is within it, to look there; "": this machine's own */
	bool foreign;	  /* another mount namespace: what is within has no name here */
	const char *cwd;  /* within root; "": not known */
};

struct watch_process {
	pid_t pid;
	uint64_t started; /* 0 not known */
	int64_t number;	  /* in the trace; -1 until it has something to tell */
	int64_t parent;	  /* the image that it came from; -1 none */
	pid_t ppid;
	bool first;	 /* the command, which has yet to be exec'd */
	bool forked;	 /* no exec since */
	bool apart;	 /* its threads may stand in different places: nothing is remembered */
	bool closed;	 /* its memory cannot be read; told */
	bool uring;	 /* told */
	bool begins;	 /* without our module: what was opened in its place is yet to be told */
	bool audited;	 /* by others than us: it will come to light, or is lost */
	bool unnamed;	 /* told: it stood where there is no name for */
	const char *exe; /* as executed; NULL not known */
	struct watch_place place;
	uint64_t cwd_stamp, root_stamp; /* of what is remembered; 0 nothing */
	struct sb_proc seen;		/* when it was last looked at ... */
	uint64_t seen_at;		/* ... which was in this moment; 0 never */
	unsigned threads;
	unsigned moving; /* calls under way that may change the place */
	unsigned execs;	 /* guessed, and not heard of since */
	struct watch_process *next;
};

struct watch_thread {
	pid_t tid;
	struct watch_process *process;
	struct sb_watch_call *exec;  /* under way */
	struct sb_watch_call *later; /* guessed; to be looked at once more */
	struct watch_thread *next;
};

/* One path of a call, made absolute. */
struct watch_name {
	struct watch_place place;
	bool there;	     /* it names something */
	bool nofollow;	     /* a trailing slash is taken into account */
	size_t at;	     /* within the root; offset in the call's text */
	enum sb_tri existed; /* of what is written */
	int outcome;	     /* as guessed */
};

struct sb_watch_call {
	pid_t tid, pid;
	int64_t number; /* of the image that called */
	struct sb_call call;
	struct sb_touches touches;
	struct sb_buf text;
	struct watch_name names[2];
	const char *real; /* of an exec: the program's, when it was executed; NULL not known */
	size_t target;	  /* what a new symlink holds, in `text`; 0 not known */
	bool moves;	  /* counted in the process's `moving` */
	/* Of a rename: a directory or a link moves or goes, and with it what other names mean. */
	bool renames;
	bool guessed;
	uint64_t before[3]; /* of an exec that was guessed: the layout of the image that called */
	uint64_t passes;    /* as the watch's, then */
	struct sb_watch_call *next;
};

/* A directory, and the mount that it is seen by: which belongs to one namespace. */
struct watch_mount {
	uint64_t mount, ino;
	uint32_t major, minor;
	bool known;
};

struct sb_watch {
	struct sb_watch_spec spec;
	uint32_t counted;
	struct watch_thread *threads[WATCH_BUCKETS];
	struct watch_process *processes[WATCH_BUCKETS];
	struct sb_map strings;
	struct sb_map programs; /* by identity: what they say of themselves */
	struct sb_real *real;
	double unsettled; /* until then what names mean may change unseen */
	double swept;
	uid_t user;		       /* our own, effective */
	uint64_t moment;	       /* what was looked at in an earlier one is old; from 1 */
	uint64_t passes;	       /* execs that nobody told of here, so far */
	uint64_t moves, roots;	       /* how often somebody's place may have changed; from 1 */
	struct watch_mount here;       /* our own root */
	char namespace[64];	       /* of mounts: our own */
	struct sb_watch_call *spare;   /* calls to be used again */
	struct sb_buf path, real_path; /* scratch */
};

/* --- watch.c --------------------------------------------------------------------------------- */
double watch_now(void);
const char *watch_intern(struct sb_watch *w, const char *s);
struct watch_process *watch_find_process(const struct sb_watch *w, pid_t pid);
/* Finds, or asks /proc who it is; NULL: it is gone. */
struct watch_thread *watch_thread(struct sb_watch *w, pid_t tid);
struct watch_thread *watch_find_thread(const struct sb_watch *w, pid_t tid);
/* As /proc has it now, looked at once in a moment; NULL: it is gone. */
const struct sb_proc *watch_look(struct sb_watch *w, struct watch_process *p);
/* Everybody of it but the leader is gone. */
void watch_only_leader(struct sb_watch *w, struct watch_process *p);
/* To the sink, and to who wants to know what it was told. */
void watch_deliver(struct sb_watch *w, const struct sb_event *ev);
void watch_met(struct sb_watch *w, enum sb_watch_step step, const struct watch_process *p);
/* No more will be told of the image here. */
void watch_done(struct sb_watch *w, int64_t number);
/* Its number; it is told to the sink when it first has one. `argv` may be NULL. */
uint32_t watch_number(struct sb_watch *w, struct watch_process *p, char *const *argv);
/* The same in any case: the next number, and the sink hears of it. */
void watch_tell_process(struct sb_watch *w, struct watch_process *p, const char *cwd,
			const char *const *argv);
struct sb_watch_call *watch_take_call(struct sb_watch *w);
void watch_give_call(struct sb_watch *w, struct sb_watch_call *call);

/* --- watch_place.c --------------------------------------------------------------------------- */
/* Where `tid` stands; with_cwd: its working directory as well. */
void watch_place(struct sb_watch *w, const struct watch_thread *t, bool with_cwd,
		 struct watch_place *ret);
/*
 * Makes a path absolute within the root: appended to `text`, at ret->at. ret->there is false where
 * it names nothing, as below a descriptor that is no directory.
 */
void watch_absolute(struct sb_watch *w, const struct watch_thread *t, int dirfd, const char *path,
		    struct sb_buf *text, struct watch_name *ret);
/* The name that the trace has for it, in w->path. */
const char *watch_shown(struct sb_watch *w, const struct watch_name *name, const char *within);
/* The real path as the trace has it, in w->real_path; NULL where it cannot be told. */
const char *watch_real(struct sb_watch *w, const struct watch_name *name, const char *within,
		       pid_t pid);
/* A name for looking at it from here; NULL: there is none. In w->real_path. */
const char *watch_reach(struct sb_watch *w, const struct watch_name *name, const char *within,
			pid_t pid);
struct watch_mount watch_mount_of(const char *path);
/* Before and after a call that may change somebody's place. */
void watch_moves(struct sb_watch *w, struct sb_watch_call *call);
void watch_moved(struct sb_watch *w, struct sb_watch_call *call, long result);
/* The call is about to be made, and nobody tells when. */
void watch_names_change(struct sb_watch *w, struct sb_watch_call *call);

/* --- watch_call.c ---------------------------------------------------------------------------- */
/* Tells touch `i` of the call, which came to `outcome`. */
void watch_tell(struct sb_watch *w, struct sb_watch_call *call, unsigned i, int outcome);
/* What is about to be made is not there yet, whatever comes of it: told before others find it. */
void watch_tell_births(struct sb_watch *w, struct sb_watch_call *call);
/* Tells all of it. */
void watch_tell_result(struct sb_watch *w, struct sb_watch_call *call, long result);

/* --- watch_filter.c -------------------------------------------------------------------------- */
/* Its own filter is to show calls to a tracer or listener, which then gets few or none of them. */
bool watch_filters_for_a_tracer(const struct sb_watch_call *call);

/* --- watch_exec.c ---------------------------------------------------------------------------- */
/* The program that was asked for, and each interpreter on the way to what runs. */
void watch_tell_exec(struct sb_watch *w, struct sb_watch_call *call, int outcome,
		     struct watch_process *image);
/* The exec that is told by the image which it made; `t` is NULL where nobody has it any more. */
uint32_t watch_passed(struct sb_watch *w, const struct sb_watch_image *image,
		      struct watch_thread *t);
/* `made` is one of the first calls of an image that begins without our module. */
void watch_tell_missed(struct sb_watch *w, const struct watch_thread *t,
		       const struct sb_call *made);
/* Whether the process runs now what the call asked for, or what that is a script for. */
bool watch_runs(struct sb_watch *w, const struct sb_watch_call *call);
void watch_tell_privilege(struct sb_watch *w, struct sb_watch_call *call);

/* --- watch_program.c ------------------------------------------------------------------------- */
struct watch_program {
	const char *interpreter; /* interned; NULL: none, or it cannot be told */
	bool script;		 /* a first line names it; else it is an ELF program's linker */
	bool gains;		 /* privilege, but for no_new_privs; asked for only then */
};

void watch_program(struct sb_watch *w, const char *path, struct watch_program *ret);
void watch_forget_programs(struct sb_watch *w);

/* --- watch_guess.c --------------------------------------------------------------------------- */
/* The thread is heard of: what was guessed about its last call is looked at once more. */
void watch_settle(struct sb_watch *w, struct watch_thread *t);
/* The same before the image is another one, by an exec of `caller` that was told by other means. */
void watch_settle_passed(struct sb_watch *w, struct watch_thread *t, int64_t caller);
/* An image that was exec'd says hello: the exec that was guessed has worked. */
void watch_settle_hello(struct sb_watch *w, struct watch_thread *t);
