/*
 * Where a dynamic linker looks for a library, in its order: glibc as in ld.so(8) and elf/dl-load.c,
 * musl as in ldso/dynlink.c.
 *
 * Order: a struct sb_search set up by sb_search_init() with the root and the linker,
 * sb_search_program() whenever another program is looked at, then
 * sb_search_run() for each name that is not loaded yet; it calls `try` for every place until one is
 * taken. A place for some processors only is a variant: it is shown as well, and never ends the
 * search, so that what is found runs, and runs best, everywhere.
 */
#pragma once

#include <stdbool.h>

#include "bundler/elf.h"
#include "bundler/ldcache.h"
#include "bundler/linker.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/map.h"

enum sb_found {
	SB_FOUND_NOT,
	SB_FOUND_PATH, /* the name is a path */
	SB_FOUND_RPATH,
	SB_FOUND_RUNPATH,
	SB_FOUND_LIBRARY_PATH,
	SB_FOUND_CACHE,
	SB_FOUND_CONF,
	SB_FOUND_DEFAULT,
	SB_FOUND_INTERP, /* the dynamic linker itself */
	SB_FOUND_COUNT
};
const char *sb_found_name(enum sb_found how);

/* One file of a process to be. */
struct sb_object {
	struct sb_object *next;	  /* in the order in which needs are looked at */
	struct sb_object *loader; /* whose need it was; NULL the program */
	const struct sb_elf *elf;
	const char *name; /* the path by which it was opened: where $ORIGIN is taken from */
	const char *real;
	enum sb_found how;
	bool variant;
	bool done; /* its needs were looked at */
	bool dlopens_done;
	bool dirs_known;
	struct sb_map dirs; /* its RUNPATH or RPATH, expanded; a value marks a variant */
};

struct sb_search {
	const char *root;
	const struct sb_linker *linker;
	const struct sb_arch *arch; /* may be NULL */
	const char *library_path;   /* LD_LIBRARY_PATH; NULL none */
	bool inside_only;	    /* neither cache nor ld.so.conf */

	struct sb_object *program;  /* the main one: its RPATH is everybody's */
	struct sb_map library_dirs; /* expanded */
	struct sb_map conf_dirs;
	struct sb_map subdirs; /* directory -> struct search_dir: what is in it, looked up once */
	struct sb_buf cache_bytes;
	struct sb_ldcache cache;
	bool have_cache;
};

/* Sets the rest up from the members up to inside_only. 0 or -ENOMEM. */
int sb_search_init(struct sb_search *s, struct sb_err *err);
int sb_search_program(struct sb_search *s, struct sb_object *program, struct sb_err *err);
void sb_search_free(struct sb_search *s);

/* 1: taken (not heard for a variant), 0: not this one, -errno. */
typedef int (*sb_try_fn)(void *arg, const char *path, enum sb_found how, bool variant,
			 struct sb_err *err);

/* 1: taken, 0: nowhere, -errno. */
int sb_search_run(struct sb_search *s, struct sb_object *loader, const char *name, sb_try_fn try,
		  void *arg, struct sb_err *err);

/*
 * Appends `list` (parted by any of `separators`) to *dirs, with $ORIGIN, $LIB and $PLATFORM
 * expanded; an element with $PLATFORM gives one for each, all but the last as variants. `origin` is
 * a directory, NULL where it is not known: elements that want it are dropped. Elements that are
 * empty or relative mean the current directory of whoever runs the program: they are left out and
 * `owner`'s name is warned about.
 */
int sb_search_expand(const struct sb_linker *linker, const struct sb_arch *arch, const char *list,
		     const char *separators, const char *origin, const char *owner,
		     struct sb_map *dirs, struct sb_err *err);
