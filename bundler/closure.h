/*
 * The static closure: what a program needs by what is written in it, following ld.so(8) and the
 * kernel's rules for scripts, and never executing anything.
 *
 * Order: sb_closure_new() over a file set, sb_closure_add() for each program or library, then read
 * `edges`, `missing` and `suggested`. All look-ups stay inside the set's root. All strings live as
 * long as the closure.
 *
 * Libraries for some processors only (glibc-hwcaps) are all taken, beside the one for any: the
 * bundle runs anywhere, and at its best.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "bundler/elf.h"
#include "bundler/fileset.h"
#include "bundler/search.h"
#include "common/err.h"

struct sb_closure_spec {
	const char *library_path; /* LD_LIBRARY_PATH to honour; NULL none */
	const char *path;	  /* PATH, for #!/usr/bin/env; NULL: /usr/local/bin:/usr/bin:/bin */
	bool inside_only; /* no ld.so.cache, no ld.so.conf: what a bundle's own linker would find
			     (verify) */
};

/* One need, and what answers it. */
struct sb_edge {
	const char *from; /* real path of the file that names it */
	const char *name; /* as it names it: soname, path of an interpreter, command of env */
	const char *path; /* where it was found; NULL: nowhere */
	const char *real; /* without links */
	enum sb_why why;  /* needed, filter, dlopen, interp, script, config */
	enum sb_found how;
	bool optional; /* does without: a recommended dlopen note, an auxiliary filter */
	bool variant;  /* for some processors only */
};

struct sb_missing {
	const char *needed; /* soname, or an interpreter's path */
	const char *by;	    /* the file that names it */
	const char *detail; /* what stood in the way; NULL: it is just not there */
	bool optional;	    /* a recommended dlopen note, an auxiliary filter */
};

/* A dlopen note of priority "suggested": listed, not taken. */
struct sb_suggested {
	const char *soname, *by, *feature, *description;
};

struct sb_closure {
	struct sb_fileset *set;
	struct sb_edge *edges;
	size_t edge_count;
	struct sb_missing *missing;
	size_t missing_count;
	struct sb_suggested *suggested;
	size_t suggested_count;
	struct sb_closure_state *state;
};

/* What it takes to start a program without the kernel's help: for the launch plan. */
struct sb_program {
	const char *exec; /* real path of what was asked for */
	const char *elf;  /* the ELF that the kernel ends up with: itself, or the last interpreter;
			     NULL: neither ELF nor script, or its interpreter is missing */
	const char *elf_name; /* the same as it was asked for: by the script's line, or by env's */
	const char *interp;   /* its dynamic linker as PT_INTERP names it; NULL: static */
	const char *const *
		prefix; /* arguments between elf's argv[0] and the script's path; NULL-terminated */
	const char *const
		*libs; /* directories of the libraries found, in search order; NULL-terminated */
	bool script;
};

int sb_closure_new(struct sb_fileset *set, const struct sb_closure_spec *spec,
		   struct sb_closure **ret, struct sb_err *err);
/*
 * Adds the program, script or library at `path`, and all that it needs, each with its reason. A
 * file that is neither ELF nor script is added alone. 0, or -errno where `path` itself is not there
 * or is a hostile ELF (the line says what is wrong); what it needs and cannot be found goes to
 * `missing`.
 */
int sb_closure_add(struct sb_closure *c, const char *path, const struct sb_reason *why,
		   struct sb_err *err);
/*
 * Adds a library that the program at `path` (added before) would load by name at run time, as
 * dlopen from its own code finds it, and what that needs. 1: found, 0: nowhere (not noted as
 * missing), or -errno.
 */
int sb_closure_add_soname(struct sb_closure *c, const char *path, const char *soname,
			  const struct sb_reason *why, struct sb_err *err);
/* About a program that was added. */
int sb_closure_program(struct sb_closure *c, const char *path, struct sb_program *ret,
		       struct sb_err *err);
/* What an ELF file in the closure says about itself; NULL where `real` was not read as one. */
const struct sb_elf *sb_closure_elf(const struct sb_closure *c, const char *real);
void sb_closure_free(struct sb_closure *c);
