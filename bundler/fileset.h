/*
 * The files of a bundle to be, each with the reasons why it is there.
 *
 * Order: sb_fileset_new(), any number of sb_fileset_add(), sb_fileset_sort(), then read `items`.
 * Adding a path adds what leads to it as well: every symlink on the way (as a symlink, with its own
 * reason) and every directory above. Adding a path twice adds only the reason.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "common/err.h"

enum sb_item_type { SB_ITEM_FILE, SB_ITEM_DIR, SB_ITEM_LINK };

enum sb_why {
	SB_WHY_ENTRY,	 /* an entry's program; from: the entry's name */
	SB_WHY_SCRIPT,	 /* the interpreter of `from` (#! or env) */
	SB_WHY_INTERP,	 /* the dynamic linker of `from` */
	SB_WHY_NEEDED,	 /* DT_NEEDED of `from`; detail: soname */
	SB_WHY_FILTER,	 /* DT_AUXILIARY or DT_FILTER of `from`; detail: soname */
	SB_WHY_DLOPEN,	 /* .note.dlopen of `from`; detail: "soname (priority)" */
	SB_WHY_CONFIG,	 /* read by the dynamic linker or libc wherever it runs (ld.so.cache is not;
			    nsswitch.conf is) */
	SB_WHY_TRACED,	 /* an event; from: the process's program; detail: kind */
	SB_WHY_LINK,	 /* a symlink on the way to `from` */
	SB_WHY_PARENT,	 /* the directory of `from` (the first one that asked) */
	SB_WHY_COPIED,	 /* --copy-dir; from: the source directory */
	SB_WHY_INCLUDED, /* --include; from: the glob */
	SB_WHY_TARGET,	 /* the target provides it: an empty file to mount it over */
	SB_WHY_COUNT
};
const char *sb_why_name(enum sb_why why);

struct sb_reason {
	enum sb_why why;
	const char *from;   /* may be NULL */
	const char *detail; /* may be NULL */
};

struct sb_item {
	const char *path;   /* absolute, in the payload */
	const char *source; /* where its bytes are now; NULL: made up, file and directory empty */
	const char *target; /* a symlink's */
	enum sb_item_type type;
	struct stat st; /* of source, lstat */
	struct sb_reason *reasons;
	size_t reason_count;
};

struct sb_fileset {
	const char *root;      /* "" or the --trace-root: sources are root + path */
	struct sb_item *items; /* `count`; moved by additions, so hold indices or look up again */
	size_t count;
	struct sb_fileset_index *index;
};

int sb_fileset_new(const char *root, struct sb_fileset **ret, struct sb_err *err);
void sb_fileset_free(struct sb_fileset *fs);

/* A last component that is a symlink is added as such, and not followed. */
#define SB_FILESET_NOFOLLOW 1u

/*
 * Adds `path` (absolute; links and ".." allowed) and what leads to it. Strings of `why` are copied.
 * 1 newly added, 0 was there, -ENOENT and the like where it is not there (nothing is added then),
 * -errno. *ret_real, where given, is the final path, owned by the set.
 */
int sb_fileset_add(struct sb_fileset *fs, const char *path, unsigned flags,
		   const struct sb_reason *why, const char **ret_real, struct sb_err *err);
/*
 * One item whose bytes lie elsewhere (--copy-dir): takes the place of what this machine has at
 * `path`. Symlinks among the directories above are followed and added; directories that are nowhere
 * are made up, with mode 0755.
 */
int sb_fileset_add_from(struct sb_fileset *fs, const char *path, const char *source,
			const struct sb_reason *why, struct sb_err *err);
/* Makes `path` an empty file, mode 0644, whatever this machine has there. Parents as above. */
int sb_fileset_add_empty(struct sb_fileset *fs, const char *path, const struct sb_reason *why,
			 struct sb_err *err);
/* Makes `path` a symlink that no source has, unless something is there. Parents as above. */
int sb_fileset_add_link(struct sb_fileset *fs, const char *path, const char *target,
			const struct sb_reason *why, struct sb_err *err);
/* Drops every item that `keep` does not want. Pointers to items, and indices, are void then. */
void sb_fileset_filter(struct sb_fileset *fs, bool (*keep)(void *arg, const struct sb_item *item),
		       void *arg);
struct sb_item *sb_fileset_find(const struct sb_fileset *fs, const char *path);
/* By path, bytewise: a directory comes before what is in it. */
void sb_fileset_sort(struct sb_fileset *fs);
