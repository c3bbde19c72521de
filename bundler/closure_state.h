/*
 * What the parts of the closure share: closure.c (the programs), closure_script.c (what the kernel
 * makes of a file), closure_load.c (what the dynamic linker makes of an ELF program).
 */
#pragma once

#include "bundler/closure.h"
#include "bundler/linker.h"
#include "bundler/search.h"
#include "common/map.h"
#include "common/strv.h"

/* An ELF file as the closure has read it, or why it could not be read. */
struct closure_file {
	struct sb_elf *elf;
	const char *fault;
};

/* A dynamic linker, with what it has looked up so far. */
struct closure_linker {
	struct sb_linker *linker;
	struct sb_search search;
};

/* A program as its dynamic linker would set it up. */
struct closure_process {
	struct sb_object *main;
	struct sb_object *first; /* in the order in which needs are looked at */
	struct sb_object *interp;
	struct sb_map names;	       /* what objects answer to -> struct sb_object */
	struct sb_map inodes;	       /* device and inode -> struct sb_object */
	struct closure_linker *linker; /* NULL: static, nothing is loaded */
	size_t count;
	bool unwinder_done;
	const char **libs;
};

struct closure_program {
	struct sb_program info;
	struct sb_strv prefix;
	struct closure_process *process; /* of info.elf; owned by the state */
};

struct sb_closure_state {
	const char *root;
	struct sb_closure_spec spec;
	struct sb_map strings;
	struct sb_map files;	  /* real path -> struct closure_file */
	struct sb_map linkers;	  /* path and machine -> struct closure_linker */
	struct sb_map processes;  /* real path of the ELF -> struct closure_process */
	struct sb_map programs;	  /* real path -> struct closure_program */
	struct sb_map seen;	  /* edges and missing ones that were noted */
	struct sb_map suggesters; /* files whose suggestions were listed */
	size_t edge_cap, missing_cap, suggested_cap;
	unsigned nesting; /* of commands that env starts */
};

const char *closure_keep(struct sb_closure *c, const char *s);
int closure_no_memory(struct sb_err *err);

/* Notes a need that was answered, or (path NULL) was not. Strings are copied. */
int closure_note(struct sb_closure *c, const struct sb_edge *edge, const char *detail,
		 struct sb_err *err);

/*
 * The ELF file at `real`, read once. *ret is NULL where it is none, and *ret_fault says why; both
 * are NULL where it cannot be opened. -ENOMEM alone is a failure.
 */
int closure_file(struct sb_closure *c, const char *real, const struct sb_elf **ret,
		 const char **ret_fault, struct sb_err *err);

/* The process that the ELF program or library at `real` would become, with all that it needs. Fails
 * where the file itself is damaged. */
int closure_load(struct sb_closure *c, const char *real, struct closure_process **ret,
		 struct sb_err *err);
/* Loads what is not loaded yet of everything that the objects of `p` need. */
int closure_load_all(struct sb_closure *c, struct closure_process *p, struct sb_err *err);
/* 1 found, 0 not found. */
int closure_load_soname(struct sb_closure *c, struct closure_process *p, const char *soname,
			const struct sb_reason *why, struct sb_err *err);
void closure_process_free(struct closure_process *p);

/* Finds out what the kernel would run for `program->info.exec`, and adds all that takes. */
int closure_exec(struct sb_closure *c, struct closure_program *program, struct sb_err *err);
