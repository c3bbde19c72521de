/*
 * How the audit backend starts the command: what is known of the program beforehand, and the
 * environment that brings our modules into it.
 */
#pragma once

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"
#include "tracer/backend.h"
#include "tracer/collect.h"
#include "tracer/logfile.h"
#include "tracer/quiet.h"
#include "tracer/sink.h"

struct sb_audit_plan {
	char **envp; /* most strings are the caller's; what is ours is in the same allocation */
	char *cwd;
	struct sb_first first;
};

/* The directory of our modules, for backend `who`: fails where one of them is missing. */
int sb_audit_modules(const char *who, const char *libexec, struct sb_buf *ret, struct sb_err *err);
/*
 * Makes a text for libc beside the log, where that can be: one module then does for two. True: in
 * it fstat makes the call *ret_quiet, which names nothing, and nobody tells of it.
 */
bool sb_audit_text(struct sb_log_file *log, struct sb_sink *sink, struct sb_quiet *ret_quiet);
/*
 * Fills *ret, and tells the sink what the kernel will do: the exec of the program, and of each
 * interpreter that its first line names; and the blind spot, where it is one. `guarded`: that is
 * told by the guard, and the command is told of it.
 */
int sb_audit_plan(const struct sb_trace_spec *spec, struct sb_log_file *log, struct sb_sink *sink,
		  bool guarded, struct sb_audit_plan *ret, struct sb_err *err);
void sb_audit_plan_free(struct sb_audit_plan *plan);
