#include "tracer/audit_env.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"
#include "preload/environ.h"
#include "preload/inspect.h"
#include "tracer/retext.h"

/* The kernel follows no more first lines than this. */
#define SCRIPTS_MOST 5

void sb_audit_plan_free(struct sb_audit_plan *plan)
{
	free(plan->envp);
	free(plan->cwd);
	*plan = (struct sb_audit_plan){0};
}

int sb_audit_modules(const char *who, const char *libexec, struct sb_buf *ret, struct sb_err *err)
{
	auto_buf file = SB_BUF_INIT;

	sb_buf_cut(ret, 0);
	if (sb_buf_printf(ret, "%s/" SB_LIBDIR, libexec) < 0)
		return sb_fail(err, ENOMEM, "find the modules");
	for (int i = 0; i < 2; i++) {
		sb_buf_cut(&file, 0);
		if (sb_buf_printf(&file, "%s/%s", ret->s, i ? SB_AUDIT_NAME : SB_PRELOAD_NAME) < 0)
			return sb_fail(err, ENOMEM, "find the modules");
		if (access(file.s, R_OK) < 0)
			return sb_fail(err, errno,
				       "backend %s: read its module '%s' (install sidebundle "
				       "whole, or set SIDEBUNDLE_LIBEXEC)",
				       who, file.s);
	}
	return 0;
}

static void tell_exec(struct sb_sink *sink, const char *path)
{
	char real[PATH_MAX];
	struct sb_event ev = {.kind = SB_EXEC,
			      .existed = SB_TRI_UNKNOWN,
			      .count = 1,
			      .path = path,
			      .real = realpath(path, real)};

	sb_sink_event(sink, &ev);
}

/* Follows first lines to the program that the kernel ends up with; each exec is told to a sink. */
static void look(const char *path, struct sb_log_file *log, struct sb_sink *sink,
		 struct sb_program *ret, struct sb_buf *ret_elf)
{
	*ret = (struct sb_program){0};
	if (sb_buf_set(ret_elf, path) < 0)
		return;
	for (int i = 0; i <= SCRIPTS_MOST; i++) {
		/* One that cannot be looked at is taken for an ordinary one. */
		if (sb_inspect(sb_log_head(log), AT_FDCWD, ret_elf->s, 0, ret) < 0)
			*ret = (struct sb_program){0};
		if (sink)
			tell_exec(sink, ret_elf->s);
		if (!(ret->info & SB_PROG_SCRIPT) || ret->interpreter[0] != '/' ||
		    sb_buf_set(ret_elf, ret->interpreter) < 0)
			return;
	}
}

/* As the exec hooks decide for every other program. */
static void decide(struct sb_program *program, const char *elf, struct sb_sink *sink,
		   struct sb_env_want *want, struct sb_first *first)
{
	uint64_t info = program->info;

	want->static_tls = (uint32_t)info;
	want->preload = want->audit = true;
	want->trace = !program->gains && !(info & SB_PROG_FOREIGN);
	first->unseen = info & SB_PROG_STATIC;
	first->expected = want->trace && !first->unseen;
	if (program->gains) {
		sb_sink_blind(sink, SB_BLIND_SETID, elf, 1);
	} else if (info & SB_PROG_FOREIGN) {
		sb_sink_blind(sink, SB_BLIND_FOREIGN, elf, 1);
	} else if (info & SB_PROG_STATIC) {
		/* It hands our variables on to what it starts. */
		want->flags = "x";
		sb_sink_blind(sink, SB_BLIND_STATIC, elf, 1);
	} else if (info & SB_PROG_SANITIZER) {
		want->preload = false;
		sb_sink_blind(sink, SB_BLIND_SANITIZER, elf, 1);
	} else if (info & SB_PROG_GO) {
		first->raw = true;
		want->flags = "x";
		sb_sink_blind(sink, SB_BLIND_RAW, elf, 1);
	}
}

/* The same under a guard, which sees into them all. */
static void decide_guarded(const struct sb_program *program, struct sb_env_want *want)
{
	uint64_t info = program->info;

	want->flags = info & SB_PROG_STATIC ? "gx" : "g";
	want->preload = true;
	want->audit = SB_GUARDED_AUDIT;
	want->trace = !program->gains && !(info & (SB_PROG_FOREIGN | SB_PROG_SANITIZER));
}

bool sb_audit_text(struct sb_log_file *log, struct sb_sink *sink, struct sb_quiet *ret_quiet)
{
	struct sb_err why = SB_ERR_INIT;
	struct sb_libctext table;
	auto_buf text = SB_BUF_INIT;
	int where = sb_retext_file(sb_log_dir(log), &table, &why);

	if (where < 0) {
		sb_log(SB_LOG_DEBUG, "libc's text stays as it is: %s", why.msg);
		return false;
	}
	/* What is on a disk lies beside other people's files. */
	if (sb_log_text(sb_log_dir(log), &text) == 0)
		sb_sink_hide(sink, text.s);
	sb_log_head(log)->owner = geteuid();
	sb_log_head(log)->libctext = (uint32_t)where;
	*ret_quiet = (struct sb_quiet){
		(uint16_t)(table.fstat & SB_QUIET_MASK),
		(uint16_t)(table.fstat_path & SB_QUIET_MASK),
	};
	return table.fstat != 0;
}

int sb_audit_plan(const struct sb_trace_spec *spec, struct sb_log_file *log, struct sb_sink *sink,
		  bool guarded, struct sb_audit_plan *ret, struct sb_err *err)
{
	struct sb_env_want want = {
		.modules = sb_log_modules(log), .log = sb_log_path(log), .flags = ""};
	struct sb_program program;
	auto_buf elf = SB_BUF_INIT;

	*ret = (struct sb_audit_plan){.cwd = getcwd(NULL, 0)};
	ret->first = (struct sb_first){
		.exe = spec->program,
		.argv = spec->argv,
		.cwd = ret->cwd,
	};
	look(spec->program, log, guarded ? NULL : sink, &program, &elf);
	if (guarded)
		decide_guarded(&program, &want);
	else
		decide(&program, sb_buf_str(&elf), sink, &want, &ret->first);
	void *room = malloc(sb_env_size(spec->envp, &want));
	if (!room) {
		sb_audit_plan_free(ret);
		return sb_fail(err, ENOMEM, "start the trace");
	}
	ret->envp = sb_env_compose(spec->envp, &want, room);
	return 0;
}
