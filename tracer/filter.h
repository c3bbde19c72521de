/*
 * The seccomp filter, made from the table of system calls: every ABI of the machine, whatever is
 * not in the table allowed.
 */
#pragma once

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "tracer/opening.h"
#include "tracer/quiet.h"

struct sb_filter_spec {
	uint32_t action; /* SECCOMP_RET_TRACE or SECCOMP_RET_USER_NOTIF, for what is in the table */
	/* Calls that the modules make and record are allowed (SB_PASS in tracer/wire.h), but for
	 * what changes the root. */
	int let_pass;
	/* Calls at these places that name nothing are allowed. */
	struct sb_quiet quiet[SB_QUIET_MOST];
	unsigned quiet_count;
	/* Opens that look like this one are allowed; NULL: there are none. */
	const struct sb_opening *opening;
	int refuse_uring; /* io_uring_setup fails with ENOSYS */
	/* Act upon ptrace and seccomp calls as well, and on clone that asks for no tracer. */
	int with_tracers;
	int with_filters; /* upon seccomp calls alone */
};

struct sb_filter {
	struct sock_filter code[1024];
	struct sock_fprog prog; /* points into `code`: not to be copied */
};

int sb_filter_make(const struct sb_filter_spec *spec, struct sb_filter *ret, struct sb_err *err);
