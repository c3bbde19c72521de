#include "tracer/audit_env.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buf.h"
#include "tracer/program.h"
#include "tracer/realpath.h"

/* The kernel follows no more first lines than this. */
#define SCRIPTS_MOST 5

void sb_audit_plan_free(struct sb_audit_plan *plan)
{
	free(plan->envp);
	for (size_t i = 0; i < sizeof plan->own / sizeof *plan->own; i++)
		free(plan->own[i]);
	free(plan->cwd);
	*plan = (struct sb_audit_plan){0};
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

/* Follows first lines to the program that the kernel ends up with; its SB_PROG_* bits. */
static uint64_t look(const char *program, struct sb_sink *sink, struct sb_buf *ret_elf)
{
	struct sb_program_look found = {.script = SB_BUF_INIT};
	uint64_t info = 0;

	if (sb_buf_set(ret_elf, program) < 0)
		return 0;
	for (int i = 0; i < SCRIPTS_MOST; i++) {
		/* One that only may be executed cannot be read: it is taken for an ordinary one. */
		info = sb_program_look(ret_elf->s, &found) < 0 ? 0 : found.info;
		tell_exec(sink, ret_elf->s);
		if (!(info & SB_PROG_SCRIPT) || !found.script.len || found.script.s[0] != '/')
			break;
		if (sb_buf_set(ret_elf, found.script.s) < 0)
			break;
	}
	sb_buf_free(&found.script);
	return info;
}

/* NAME=the user's own list, then ours: what comes first stays first. */
static char *add_module(char *const *envp, const char *name, const char *modules, const char *file)
{
	size_t len = strlen(name);
	auto_buf value = SB_BUF_INIT;
	const char *old = "";

	for (; *envp; envp++)
		if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
			old = *envp + len + 1;
	if (sb_buf_printf(&value, "%s=%s%s%s/%s", name, old, *old ? ":" : "", modules, file) < 0)
		return NULL;
	return sb_buf_steal(&value);
}

static bool is_ours(const char *variable)
{
	static const char *const names[] = {"LD_PRELOAD", "LD_AUDIT", SB_ENV_TRACE};

	for (size_t i = 0; i < 3; i++) {
		size_t len = strlen(names[i]);

		if (strncmp(variable, names[i], len) == 0 && variable[len] == '=')
			return true;
	}
	return false;
}

static int compose(struct sb_audit_plan *plan, const struct sb_trace_spec *spec,
		   struct sb_log_file *log, uint64_t info, struct sb_err *err)
{
	size_t count = 0, n = 0;
	auto_buf trace = SB_BUF_INIT;

	while (spec->envp[count])
		count++;
	plan->envp = calloc(count + 4, sizeof *plan->envp);
	if (!plan->envp || sb_buf_printf(&trace, SB_ENV_TRACE "=0:%s", sb_log_path(log)) < 0)
		return sb_fail(err, ENOMEM, "start the trace");
	if (info & (SB_PROG_STATIC | SB_PROG_SETID | SB_PROG_FOREIGN)) {
		memcpy(plan->envp, spec->envp, count * sizeof *plan->envp);
		return 0;
	}
	for (size_t i = 0; i < count; i++)
		if (!is_ours(spec->envp[i]))
			plan->envp[n++] = spec->envp[i];
	plan->own[0] = sb_buf_steal(&trace);
	plan->own[1] = add_module(spec->envp, "LD_PRELOAD", sb_log_modules(log), SB_PRELOAD_FILE);
	plan->own[2] = add_module(spec->envp, "LD_AUDIT", sb_log_modules(log), SB_AUDIT_FILE);
	for (size_t i = 0; i < 3; i++) {
		if (!plan->own[i])
			return sb_fail(err, ENOMEM, "start the trace");
		plan->envp[n++] = plan->own[i];
	}
	return 0;
}

int sb_audit_plan(const struct sb_trace_spec *spec, struct sb_log_file *log, struct sb_sink *sink,
		  struct sb_audit_plan *ret, struct sb_err *err)
{
	auto_buf elf = SB_BUF_INIT;
	uint64_t info = look(spec->program, sink, &elf);

	*ret = (struct sb_audit_plan){0};
	if (info & SB_PROG_SETID)
		sb_sink_blind(sink, SB_BLIND_SETID, elf.s, 1);
	else if (info & SB_PROG_FOREIGN)
		sb_sink_blind(sink, SB_BLIND_FOREIGN, elf.s, 1);
	else if (info & SB_PROG_STATIC)
		sb_sink_blind(sink, SB_BLIND_STATIC, elf.s, 1);
	ret->cwd = getcwd(NULL, 0);
	ret->first = (struct sb_first){
		.exe = spec->program,
		.argv = spec->argv,
		.cwd = ret->cwd,
		.expected = !(info & (SB_PROG_STATIC | SB_PROG_SETID | SB_PROG_FOREIGN)),
	};
	int rc = compose(ret, spec, log, info, err);
	if (rc < 0)
		sb_audit_plan_free(ret);
	return rc;
}
