/*
 * A draft becomes files: payload, launcher, plan and manifest, in the directory of a site. It is
 * for the caller to look at what there was to remark, and then to commit the site.
 */
#pragma once

#include <signal.h>

#include "bundler/draft.h"
#include "bundler/site.h"

struct sb_bundle_spec {
	const char *name, *run_mode;
	const char *const *set_env; /* "K=V", NULL-terminated; may be NULL */
	/* For the modes that show the bundle as "/"; lists as in struct sb_plan. */
	const char *const *binds, *const *binds_at;
	bool no_home, no_net;
	const char *launcher; /* the program behind every entry */
	const char *start;    /* host mode's (redirect/); START-ARCH: another machine's */
	/* As in struct sb_payload_spec. */
	const volatile sig_atomic_t *stop;
	void (*progress)(void *arg, size_t done, size_t all);
	void *progress_arg;
};

/* `draft` was finished; its remarks may grow. *ret_size: bytes of the payload's files, links once.
 */
int sb_bundle_write(struct sb_draft *draft, const struct sb_bundle_spec *spec,
		    const struct sb_site *site, uint64_t *ret_size, struct sb_err *err);
