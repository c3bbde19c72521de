/*
 * A bundle on paper: which files, why, and how its entries are started. Nothing is written.
 *
 * Order: sb_draft_new(), entries (programs, replays) and trees in any order, sb_draft_finish(),
 * then read `set`, `entries`, `remarks`, and sb_bundle_write() (bundler/bundle.h), sb_draft_free().
 * Traces and rules outlive the draft.
 */
#pragma once

#include <stdbool.h>
#include <time.h>

#include "bundler/closure.h"
#include "bundler/fileset.h"
#include "bundler/manifest.h"
#include "bundler/plan_write.h"
#include "bundler/remark.h"
#include "bundler/select.h"
#include "tracer/trace.h"

struct sb_draft_spec {
	const char *root;		 /* "" or --trace-root */
	const struct sb_rules *rules;	 /* `own` ends with where the bundle will be */
	const char *library_path, *path; /* LD_LIBRARY_PATH and PATH for programs of this machine */
};

struct sb_draft {
	struct sb_fileset *set;
	struct sb_remarks remarks;
	/* Two views of the same entries. */
	struct sb_plan_entry *entries;
	struct sb_manifest_entry *listed;
	size_t entry_count;
	struct sb_manifest_blind *blind;
	size_t blind_count;
	/* What the target must have; NULL where nothing says so. */
	const char *kernel, *cpu, *glibc;
	const char *arch;	  /* uname's word for it */
	const char *library_path; /* LD_LIBRARY_PATH of replays, joined; NULL none */
	struct timespec newest;	  /* of the files; what is made up has this time */
	struct sb_draft_state *state;
};

int sb_draft_new(const struct sb_draft_spec *spec, struct sb_draft **ret, struct sb_err *err);
void sb_draft_free(struct sb_draft *draft);

/*
 * A program at `path` (absolute in the root) as entry `name`, with what its traced runs saw.
 * Fails where it could not even start: not there, no program, libraries missing.
 */
int sb_draft_program(struct sb_draft *draft, const char *name, const char *path,
		     const struct sb_trace *const *runs, size_t run_count, struct sb_err *err);
/*
 * The traced command, to be executed again as it was the first of these times, with what all of
 * them needed.
 */
int sb_draft_replay(struct sb_draft *draft, const char *name, const struct sb_trace *const *runs,
		    size_t run_count, struct sb_err *err);
/* What the name of a replay's entry is, unless it is given another: inside the trace. */
const char *sb_draft_replay_name(const struct sb_trace *trace);

int sb_draft_tree(struct sb_draft *draft, const char *source, const char *dest, struct sb_err *err);

/* The rest: globs, what libc reads by itself, mount points, pruning; sorts the set. */
int sb_draft_finish(struct sb_draft *draft, struct sb_err *err);
