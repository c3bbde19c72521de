/*
 * Process images, and the execs that make them: who wrote a record, and where it stood then.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/map.h"
#include "tracer/wire.h"

/* Whether its process still runs. A pid of another namespace cannot be asked about. */
enum image_life { LIFE_RUNS, LIFE_UNSURE, LIFE_GONE };

/* One generation of working directory and root. */
struct image_where {
	uint32_t generation;
	const char *cwd, *root; /* root "" is this machine's own; cwd is within it */
};

struct image {
	uint64_t id;
	bool greeted;	  /* its hello was read */
	bool continued;	  /* another image of the same process number came after it */
	bool numbered;	  /* by who shares the trace */
	bool strayed;	  /* it has moved unseen, and that was noted */
	uint32_t process; /* number in the trace; given when it is first seen */
	pid_t pid;
	uint64_t started; /* of the process; 0 not known */
	enum image_life life;
	unsigned chunks;   /* not yet done with */
	const char *exe;   /* NULL where not known */
	const char *birth; /* the root that it was exec'd in: what it tells later is within it */
	const char *root;  /* the latest */
	struct image_where *wheres; /* by generation: a program may move a million times */
	size_t where_count;
	struct image *next; /* of those that are not gone */
};

/* An exec that was seen to begin. */
struct image_exec {
	uint64_t place;
	uint64_t image;	  /* who called */
	const char *path; /* absolute, in root */
	const char *root;
	const char *cwd; /* of who called; "" not known */
	bool expected;	 /* a hello: this is the program, not an interpreter on the way to one */
	bool worked;	 /* as far as is known: no failure came back */
	bool blind;	 /* a blind spot explains why there may be no hello */
	bool unseen;	 /* static: whoever says hello was started by it, with what it passed on */
	bool raw;	 /* Go: it says hello first, and then what it starts, as after `unseen` */
	struct image *heard; /* who said hello; the first of them where `raw` */
	/* Under a guard: made by the bypass, past it. `record` tells, while it is in memory. */
	bool passed;
	const struct sb_rec *record;
	const char *real; /* of `path`; NULL not known */
};

struct images {
	struct sb_map by_id;   /* uint64_t -> struct image * */
	struct sb_map by_pid;  /* pid_t -> the latest struct image * */
	struct sb_map execs;   /* uint64_t -> struct image_exec * */
	struct sb_map strings; /* interned */
	struct image *living;
	uint32_t process_count;
	uint64_t began; /* our own process's start: whoever started earlier is none of ours */
};

/* All return NULL where there is none, or no memory. */
struct image *images_find(const struct images *images, uint64_t id);
struct image *images_get(struct images *images, uint64_t id, pid_t pid);
struct image_exec *images_exec(const struct images *images, uint64_t place);
struct image_exec *images_add_exec(struct images *images, uint64_t place);
/*
 * The image says hello: it took the place of `before` (NULL where that is not known), by exec where
 * the pid is the same. Whoever had its pid is gone.
 */
void images_greet(struct images *images, struct image *image, struct image *before, pid_t ppid);
int image_set_where(struct image *image, uint32_t generation, const char *cwd, const char *root);
/* NULL: not heard of yet. */
const struct image_where *image_where(const struct image *image, uint32_t generation);
/* The last one heard of before, where that never came. */
const struct image_where *image_where_near(const struct image *image, uint32_t generation);
/* Updates `life` of all that live. `thoroughly`: zombies and reused pids are told, too. */
void images_look(struct images *images, bool thoroughly);
/* Takes those that are gone and have no chunks left off the list; `done` hears of each. */
void images_sweep(struct images *images, void (*done)(void *arg, uint32_t process), void *arg);
void images_free(struct images *images);
