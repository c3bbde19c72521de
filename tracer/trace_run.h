/*
 * A whole traced run: trace file, backend, sink. For the commands that trace (trace, create).
 */
#pragma once

#include "common/err.h"
#include "tracer/backend.h"
#include "tracer/sink.h"

struct sb_trace_run {
	const char *backend; /* a name of sb_backends, or "auto" */
	const char *output;  /* the trace file; made before the command starts */
	struct sb_trace_spec spec;
	const char *const *include, *const *exclude; /* as in struct sb_sink_spec */
};

/* What went wrong before the command ran, or while it did. */
enum sb_trace_trouble {
	SB_TRACE_RAN,	  /* nothing: `status` is the command's */
	SB_TRACE_TIMEOUT, /* its time was up; `status` is how it ended then */
	SB_TRACE_FAILED,  /* our own failure: 125 */
	SB_TRACE_REFUSED, /* there, and cannot be executed: 126 */
	SB_TRACE_MISSING, /* not found: 127 */
};

struct sb_trace_result {
	enum sb_trace_trouble trouble;
	int status; /* wait status of the command, where it ran */
	uint64_t lost;
};

/*
 * Runs it. Returns 0 where the command ran to its end and the trace is complete; else -errno with
 * ret->trouble set (it always is). Blind spots and lost records are logged as warnings.
 */
int sb_trace_run(const struct sb_trace_run *run, struct sb_trace_result *ret, struct sb_err *err);

/* The exit code that tells of it: the command's own, 128+N for signal N, 124 to 127. */
int sb_trace_exit_code(const struct sb_trace_result *result);
