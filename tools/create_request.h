/*
 * What a `create` command line asks for, taken apart and checked before anything is done.
 *
 * Order: sb_create_request_read(), use, sb_create_request_free(). Strings that are not made here
 * point into argv.
 */
#pragma once

#include "common/err.h"
#include "common/map.h"
#include "common/strv.h"
#include "tools/command.h"
#include "tools/create_replay.h"

struct sb_create_options {
	struct sb_strings from_host, from_trace, copy_dir, set_env, include, exclude, bind;
	const char *name, *out_dir, *run_mode, *trace_backend, *trace_root;
	int dry_run, force, allow_secrets, allow_gpu, strict, no_home, no_net;
};

/* --from-host */
struct sb_create_program {
	char *name, *path;    /* absolute in the root */
	struct sb_strv *runs; /* each with argv[0] as it was given */
	size_t run_count;
};

struct sb_create_copy {
	char *source, *dest;
};

struct sb_create_request {
	struct sb_create_program *programs;
	size_t program_count;
	struct sb_create_replays replays;
	struct sb_create_copy *copies;
	size_t copy_count;
	struct sb_strv include, exclude; /* absolute, or with two stars in front */
	struct sb_strv binds, binds_at;	 /* of the target: as many of each */
	char *cwd;
};

int sb_create_request_read(const struct sb_create_options *o, struct sb_create_request *ret,
			   struct sb_err *err);
void sb_create_request_free(struct sb_create_request *request);

/* Whether it may stand in bin/, or name a bundle. */
bool sb_is_plain_name(const char *name);
