/* What the parts of the draft share among themselves; for bundler/draft*.c alone. */
#pragma once

#include "bundler/closure.h"
#include "bundler/draft.h"
#include "bundler/linker.h"
#include "common/map.h"

/* One closure for each way of searching. */
struct draft_closure {
	struct sb_closure *closure;
	const char *library_path, *path;
	bool replay;		  /* its LD_LIBRARY_PATH will be set on the target too */
	const char *program;	  /* the first that was added: for what libc loads by itself */
	struct sb_linker *linker; /* its dynamic linker; NULL: static */
};

struct sb_draft_state {
	struct sb_draft_spec spec;
	struct sb_map strings;
	struct sb_map loaded;  /* file names of what traces saw loaded */
	struct sb_map locales; /* as the environment names them */
	struct sb_map zones;   /* of TZ */
	struct draft_closure *closures;
	size_t closure_count;
	const struct sb_trace **traces;
	size_t trace_count;
	void **arrays; /* to be freed */
	size_t array_count;
};

/* NULL only when out of memory; freed with the draft. */
void *draft_array(struct sb_draft *draft, size_t count, size_t size);
const char *draft_string(struct sb_draft *draft, const char *s);
/* The value of a variable in a list of "K=V"; NULL none. */
const char *draft_getenv(const char *const *env, const char *name);

/* draft_libc.c: files that every glibc reads by itself, and names by which it finds libraries. */
int draft_add_libc_files(struct sb_draft *draft, struct sb_err *err);
int draft_add_aliases(struct sb_draft *draft, struct sb_err *err);

/* draft_needs.c: kernel, cpu, glibc. */
int draft_find_needs(struct sb_draft *draft, struct sb_err *err);
