/*
 * The program's side of host mode: a static object at a fixed address, which the kernel starts in a
 * program's place. It maps the program and its dynamic linker, and stays: rewritten libraries
 * (bundler/patch.h) call it where they would call the kernel with a path.
 *
 * Order: start.c fills `sb_here` once, before any other code runs in the process; after that it is
 * only read, but for a few flags. Everything here works in a signal handler, in a vfork child and
 * on a small stack, allocates nothing and touches neither libc nor vector registers. System call
 * results: -errno.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "preload/arch.h"
#include "redirect/index.h"

#define SB_PATH_MAX    4096
#define SB_FRONT       1024 /* the longest name of a mirror */
#define SB_TRANSIT_MAX 6144

struct sb_here {
	const struct sb_index_head *index;
	const uint32_t *slots;
	const struct sb_index_entry *entries;
	const char *base; /* of the index's strings */
	/* Real paths: the bundle, its payload, the mirror, with lengths. */
	const char *bundle, *payload, *root;
	size_t bundle_len, payload_len, root_len;
	size_t front;		  /* the longest of what is put before a path, at most SB_FRONT */
	const char *program;	  /* what runs here, by the name that it knows itself by */
	const char *real_program; /* its file */
	/* Open to the program although a directory of the payload lies above; empty: none. */
	const char *home, *cwd;
	const char *real_cwd;		/* as the kernel has it; "" unknown */
	bool by_name;			/* the program has no place in ROOT */
	const char *layer_text, *layer; /* layer: NULL none */
	size_t layer_len;
	const char *dirs[SB_DIRS_MOST]; /* below the layer, by the paths that the program knows */
	size_t dir_count;
	/* The program may have a directory of the payload open; be in one: set, and never cleared.
	 */
	bool inside, entered;
	/* It may be in a directory of this machine that the payload has, too: as `entered`. */
	bool shares;
	bool environment_hidden; /* LD_ names are out of the dynamic linker's sight */
	char **environment;
};
extern struct sb_here sb_here __attribute__((visibility("hidden")));

/* A call as the rewritten code made it. */
struct sb_call {
	long nr;
	long args[6];		/* restored after */
	struct sb_place *small; /* the gate's, until the call is made: SB_GATE_ROOM bytes */
};

/*
 * redirect/calls.c: answers it. `how`: SB_LINKER, the dynamic linker asks; SB_ASKS, whoever asks
 * can make the call where it stands, where a cancellation finds it, and SB_GATE_PASS says it
 * should. SB_GATE_AGAIN: the gate is to make it, with the arguments as they are now. That is what
 * costs least: behind a system call the processor has forgotten where functions return to.
 */
#define SB_LINKER 1u
#define SB_ASKS	  2u
long sb_redirect(struct sb_call *call, unsigned long how);

/* The kernel's answer. */
static inline long sb_make(const struct sb_call *c)
{
	return sb_arch_syscall(c->nr, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4],
			       c->args[5]);
}

/* Nothing that a program could have there: the kernel says so. */
static inline bool sb_is_bad(const char *path)
{
	return (uintptr_t)path - 4096 >= SB_ARCH_MEMORY_END - 4096;
}

/*
 * redirect/memory.c: whether what the program points to may be read. sb_count_list(): how many
 * pointers stand before the list's NULL. sb_forget_memory(): some may not be any more.
 */
bool sb_can_read(const void *from, size_t size);
bool sb_can_read_string(const char *s);
bool sb_count_list(char *const *list, size_t *ret);
void sb_forget_memory(void);

/* The name that always means the program's own file. */
bool sb_is_self(const char *path);

/* A path of this process's thinking, in its place. */
struct sb_place {
	const struct sb_index_entry *entry; /* NULL: the payload does not have it */
	bool through;			    /* it goes on below a file of the payload */
	bool within; /* it does not, but has the directory that it would be in */
	bool opaque; /* it does not, and this machine is not to be asked either (opens, lists) */
	/*
	 * Of the entry, NUL-terminated, in `room`; before it is room for a prefix. Without an
	 * entry: where links of the payload lead out of it, or NULL where none was on the way.
	 */
	char *path;
	size_t len;
	bool full;   /* the room did not do: look again in the largest */
	size_t size; /* of the room: set by the caller; 0: the largest */
	char room[SB_PATH_MAX + SB_FRONT];
};

/*
 * Looks `path` (absolute) up. False: it is no path that the payload could have (too long, too many
 * links, through a file), which the kernel may tell.
 */
bool sb_look(const char *path, bool follow, struct sb_place *ret);
/* The real path of a found place, in the payload or in ROOT; NULL: longer than the room. */
const char *sb_place_in_payload(struct sb_place *place);
const char *sb_place_in_root(struct sb_place *place);
/* What follows a prefix of ours in a real path (with its '/'), or NULL. */
const char *sb_strip(const char *path);

/* Whether `path` is `dir` or lies below it. */
bool sb_below(const char *path, const char *dir);

/*
 * redirect/layer.c. sb_transit_take() empties `variable`, sets layer_text and returns the program
 * to start ("": the one in whose place we are), or NULL where it is another variable;
 * sb_layer_begin() makes the layer known. sb_transit_make(): the variable for a start of `program`
 * (NULL: by its place, as a process called `name`, where not NULL), false where it does not fit.
 */
char *sb_transit_take(char *variable);
void sb_layer_begin(void);
bool sb_transit_make(const char *program, const char *name, char *buf, size_t size);
/* Where there is a layer: whether a path is in it, and its real path. */
bool sb_is_layered(const char *path);
const char *sb_layer_path(const char *path, char *buf, size_t size);
const char *sb_place_in_layer(struct sb_place *place);

/*
 * redirect/settle.c, where there is a layer: the real path of what a name means that leads into a
 * copy, by whatever links and directories; or, of one that begins in a copy and leads out of it,
 * the path that the program knows (not *ret_copy). NULL: it has nothing to do with copies. In
 * `buf`, of SB_PATH_MAX.
 */
bool sb_is_above_copies(const char *path);
const char *sb_settle(long dirfd, const char *path, bool follow_last, char *buf, bool *ret_copy);

/*
 * redirect/library.c: the real path of what a recorded LD_LIBRARY_PATH has for a library that the
 * dynamic linker looks for in a default directory, or NULL. sb_library_is_ours(): whether a name
 * that the payload lacks is one of a library where only the payload's count. sb_library_filter()
 * leaves of a LD_LIBRARY_PATH what is the payload's (false: nothing, or it is too long), until it
 * is restored.
 */
const char *sb_library_first(const char *path, struct sb_place *place);
bool sb_library_is_ours(const char *path);
bool sb_library_filter(char *value);
void sb_library_restore(void);

/*
 * redirect/relative.c. sb_name_of(): the real name of a directory (AT_FDCWD: the current one), its
 * length, 0 where it cannot be told. sb_from_root(): `path`, which begins there, by the name that
 * the program knows, in `buf`; NULL where the directory is none of the payload's (`ours`), or is
 * one (not `ours`), or is a copy in the layer and the path does not lead out of it. sb_is_inside():
 * whether it begins in one of the payload's; sb_may_be_inside(): the same without asking, where it
 * says no.
 */
size_t sb_name_of(long dirfd, char *buf, size_t size);
const char *sb_from_root(long dirfd, const char *path, bool ours, char *buf, size_t size);
bool sb_is_inside(long dirfd, const char *path);
bool sb_may_be_inside(long dirfd);

/*
 * redirect/told.c: readlink(2) of a link of /proc, whose path is the argument `path` (known: what
 * it holds, NULL to ask), getcwd(2), and getsockname(2) or getpeername(2).
 */
long sb_told_link(const struct sb_call *call, int path, const char *known);
long sb_told_cwd(const struct sb_call *call);
long sb_told_socket(const struct sb_call *call);

/* redirect/socket.c: connect, bind, sendto, sendmsg; SB_GATE_PASS: nothing of ours. */
#define SB_SOCKET_FRONT "/proc/self/fd/"
long sb_redirect_socket(const struct sb_call *call);

/* redirect/list.c: getdents64(2). */
long sb_redirect_list(const struct sb_call *call);

/* redirect/exec.c. */
long sb_redirect_exec(struct sb_call *call);
