#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "tools/backend_option.h"
#include "tools/command.h"
#include "tools/globs.h"
#include "tracer/trace_run.h"

extern const struct sb_command sb_cmd_trace;

struct options {
	const char *backend, *output, *io_uring;
	double timeout;
	int wait_all;
	struct sb_strings include, exclude;
};

static const struct sb_option table[] = {
	{"backend", 'b', SB_OPT_STRING, "BACKEND",
	 "how to watch (default auto; doctor tells what works here)", NULL,
	 offsetof(struct options, backend)},
	{"output", 'o', SB_OPT_STRING, "FILE", "write the trace there (default sidebundle.trace)",
	 NULL, offsetof(struct options, output)},
	{"timeout", 0, SB_OPT_SECONDS, "SECONDS",
	 "kill the command and what it started after so long", NULL,
	 offsetof(struct options, timeout)},
	{"wait-all", 0, SB_OPT_FLAG, NULL, "wait for processes that outlive the command", NULL,
	 offsetof(struct options, wait_all)},
	{"io-uring", 0, SB_OPT_CHOICE, NULL,
	 "what the command gets of io_uring: no filter sees it (default refuse)", "refuse|allow",
	 offsetof(struct options, io_uring)},
	{"include", 0, SB_OPT_LIST, "GLOB", "keep only paths that match", NULL,
	 offsetof(struct options, include)},
	{"exclude", 0, SB_OPT_LIST, "GLOB", "leave out paths that match; wins over --include", NULL,
	 offsetof(struct options, exclude)},
	{0},
};

static void release(struct options *o)
{
	sb_strings_free(&o->include);
	sb_strings_free(&o->exclude);
}

static int trace(const struct options *o, char **argv, struct sb_err *err)
{
	auto_strv include = SB_STRV_INIT, exclude = SB_STRV_INIT;
	auto_free char *cwd = getcwd(NULL, 0);
	struct sb_trace_result result;
	int rc = sb_globs_read(&o->include, cwd ? cwd : "/", &include, err);

	if (rc == 0)
		rc = sb_globs_read(&o->exclude, cwd ? cwd : "/", &exclude, err);
	if (rc < 0)
		return rc;
	struct sb_trace_run run = {
		.backend = o->backend ? o->backend : "auto",
		.output = o->output ? o->output : "sidebundle.trace",
		.spec = {.argv = argv,
			 .envp = environ,
			 .wait_all = o->wait_all,
			 .timeout = o->timeout,
			 .allow_uring = o->io_uring && strcmp(o->io_uring, "allow") == 0},
		.include = (const char *const *)include.items,
		.exclude = (const char *const *)exclude.items,
	};
	char line[sizeof err->msg + 256];

	/* The exit code is the command's, or says whose failure it was: so it is told here. */
	if (sb_trace_run(&run, &result, err) < 0) {
		sb_err_line(err, line, sizeof line);
		sb_log(SB_LOG_ERROR, "%s", line);
	}
	return sb_trace_exit_code(&result);
}

static int run(int argc, char **argv, struct sb_err *err)
{
	struct options o = {0};
	int first, rc = sb_options_parse(&sb_cmd_trace, argc, argv, true, &o, &first, err);

	if (rc == 0 && first >= argc)
		rc = sb_fail(err, SB_EUSAGE, "trace: no command to trace (see trace --help)");
	if (rc == 0 && o.backend)
		rc = sb_backend_option("backend", o.backend, false, err);
	if (rc == 0)
		rc = trace(&o, argv + first, err);
	else if (rc > 0)
		rc = 0;
	release(&o);
	return rc;
}

const struct sb_command sb_cmd_trace = {
	.name = "trace",
	.args = "[OPTION...] [--] CMD [ARG...]",
	.summary = "run a command, and write down which files it and its children use",
	.options = table,
	.details =
		"The command has our stdin, stdout and stderr. Exits as the command did, with "
		"128+N "
		"where signal N\nended it; 124: its time was up, 125: we failed, 126: it cannot be "
		"executed, 127: it was not found.\n",
	.run = run,
};
