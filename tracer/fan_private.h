/*
 * What the parts of the fan share: fan.c reads events, fan_image.c knows whose they are and what
 * they mean, fan_linker.c what belongs to an exec, fan_mounts.c keeps the marks.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>

#include "common/map.h"
#include "tracer/fan.h"
#include "tracer/forks.h"

/* --- marks ----------------------------------------------------------------------------------- */

/* A mount namespace whose list of mounts is looked at. */
struct fan_space {
	uint64_t inode;
	int list;     /* its mountinfo */
	pid_t pid;    /* by whose /proc it is entered; 0: our own */
	pid_t newest; /* heard of in it: where the other one has ended */
};

#define FAN_SPACES_MOST 32

struct fan_mounts {
	int group;
	struct fan_space spaces[FAN_SPACES_MOST]; /* the first one is our own */
	size_t count;
	struct sb_map
		marked; /* "major:minor" -> the last look that met it, and whether it was held */
	uintptr_t look; /* so many so far */
	/* One that was not watched from its beginning, or not at all, by its mount point. */
	void (*missed)(void *arg, const char *point);
	void *arg;
};

/* Marks all that is mounted here; `missed` and `arg` are set before. -errno where not even "/" can
 * be marked. */
int fan_mounts_open(struct fan_mounts *m, int group, struct sb_err *err);
void fan_mounts_free(struct fan_mounts *m);
bool fan_mounts_own(const struct fan_mounts *m, uint64_t inode);
/* A process of the tree is in that mount namespace. */
void fan_mounts_enter(struct fan_mounts *m, uint64_t inode, pid_t pid);
/*
 * It became another program there. A list shows what its opener's root reached at that time, and
 * who sets a namespace up pivots before it execs: from now on its list is read.
 */
void fan_mounts_renew(struct fan_mounts *m, uint64_t inode, pid_t pid);
/* Marks what is new. `polled`: as fan_mounts_poll() filled it in. */
void fan_mounts_look(struct fan_mounts *m, const struct pollfd *polled);
/* Fills in as many as there are spaces. */
size_t fan_mounts_poll(const struct fan_mounts *m, struct pollfd *ret);

/* One line of mountinfo, proc_pid_mountinfo(5). */
struct fan_mount {
	uint64_t id;
	const char *device, *root, *point, *type;
};

typedef void (*fan_mount_fn)(void *arg, const struct fan_mount *mount);
/* Reads an open mountinfo from its start. -errno where nobody is left in that namespace. */
int fan_mounts_each(int list, fan_mount_fn each, void *arg);

/* --- names ----------------------------------------------------------------------------------- */

/* What a mount of another namespace is called in ours. */
struct fan_twin {
	uint64_t id;
	char *point; /* there */
	char *own;   /* here; NULL: nowhere */
};

struct fan_names {
	struct fan_mounts *mounts; /* ours first; not owned */
	struct fan_twin *twins;
	size_t count;
};

/* The path that the kernel has for it, into ret[PATH_MAX]; false: none, or too long for a name
 * (errno says so: ENAMETOOLONG). */
bool fan_name_path(int fd, char *ret);
/*
 * The name on this machine of what `fd` is open on, and what `pid`, in another mount namespace,
 * calls `path`; into ret[PATH_MAX]. False: it has none, or none that could be found.
 */
bool fan_name_real(struct fan_names *names, int fd, pid_t pid, const char *path, char *ret);
void fan_names_free(struct fan_names *names);

/* --- processes and images -------------------------------------------------------------------- */

/* One program run by one process. */
struct fan_image {
	int64_t number;		  /* in the trace; -1: nothing was told of it yet */
	struct fan_image *parent; /* forked or exec'd it; NULL: the command's first */
	struct fan_image *next;	  /* what the same process exec'd after it */
	struct fan_image *older;  /* of all that there are */
	pid_t pid, ppid;
	uint32_t births, execs; /* see struct sb_fan_image */
	bool forked;
	const char *exe;
};

#define FAN_CHAIN_MOST 6 /* a program, and interpreters of scripts: the kernel follows five */

struct fan_process {
	pid_t pid;
	struct fan_image *now;		   /* as far as events were read */
	struct fan_image *latest;	   /* as far as the kernel's records tell */
	const char *chain[FAN_CHAIN_MOST]; /* files of an exec under way, or just done */
	size_t chain_count;
	const char *linker; /* its ELF interpreter */
	bool more;	    /* the last of the chain is a script: its interpreter comes next */
	const char *named;  /* or a program whose ELF interpreter does, by that name; NULL: none */
	bool ended;
	/* While fan_image_settle() works: what the records told before it. */
	bool over;
	struct fan_image *upto;
	uint64_t away; /* the mount namespace that it is in; 0: ours */
};

struct sb_fan {
	struct sb_fan_spec spec;
	int group;
	struct sb_forks *forks;
	struct fan_mounts mounts;
	struct fan_names names;
	struct sb_map processes; /* pid_t -> struct fan_process *, NULL for one that is gone */
	struct sb_map births;	 /* pid_t -> how many had that number */
	struct sb_map strings;	 /* interned */
	struct sb_map held;	 /* image, path -> struct fan_held * */
	bool flushed;		 /* some that were held were told before their time */
	struct fan_image *images;
	struct fan_image *root; /* the command's first */
	bool root_started;	/* its exec stands in the kernel's records, */
	bool root_runs;		/* and was told */
	char *const *argv;
	const char *cwd;
	uint32_t next_number;
	pid_t *touched; /* exec'd or ended: to be looked at once the queue is empty */
	size_t touched_count, touched_cap;
	uint64_t lost_forks; /* that were told as lost */
};

/* An event, once it is known to be of the tree. */
struct fan_seen {
	struct fan_process *process;
	int fd;
	const char *path, *real;
	bool exec, opened, written;
};

/*
 * The next file that is opened for executing is the interpreter, or, where that was opened just
 * before as well (the kernel tells of it once), what is executed next. A root that is gone with its
 * process leaves us the last part of the name.
 */
bool fan_is_linker(const struct fan_process *p, const struct fan_seen *seen);

struct fan_process *fan_process(struct sb_fan *fan, pid_t pid);
int fan_image_root(struct sb_fan *fan, pid_t pid, const char *program);
/* From sb_forks_poll(). */
void fan_image_fork(void *arg, const struct sb_fork *what);
void fan_image_seen(struct sb_fan *fan, const struct fan_seen *seen);
/* Nothing is in the queue that happened before the last sb_forks_poll() but one. */
void fan_image_settle(struct sb_fan *fan);
/* Tells what is held. */
void fan_image_flush(struct sb_fan *fan);
void fan_image_free(struct sb_fan *fan);
