/* create: a bundle out of programs and traces. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bundler/bundle.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/path.h"
#include "tools/backend_option.h"
#include "tools/create_report.h"
#include "tools/create_request.h"
#include "tracer/trace_run.h"

extern const struct sb_command sb_cmd_create;

#define ROW(name, type, value, help, choices, member)                                           \
	{                                                                                       \
		name, 0, type, value, help, choices, offsetof(struct sb_create_options, member) \
	}

/* clang-format off */
static const struct sb_option table[] = {
	ROW("from-host", SB_OPT_LIST, "PATH[::trace=ARGS]",
	    "a program of this machine; each ::trace= runs it once", NULL, from_host),
	ROW("from-trace", SB_OPT_LIST, "FILE[::entry=NAME]",
	    "a traced command, to be executed again as it was", NULL, from_trace),
	ROW("copy-dir", SB_OPT_LIST, "SRC[:DEST]", "add a directory with all that is in it",
	    NULL, copy_dir),
	ROW("set-env", SB_OPT_LIST, "K=V", "set a variable for every entry", NULL, set_env),
	ROW("include", SB_OPT_LIST, "GLOB", "add files, whatever the traces saw", NULL, include),
	ROW("exclude", SB_OPT_LIST, "GLOB", "leave files out; wins over everything", NULL, exclude),
	ROW("name", SB_OPT_STRING, "NAME", "of the bundle (default bundle)", NULL, name),
	ROW("out-dir", SB_OPT_STRING, "DIR", "where to put it (default target/bundles)", NULL,
	    out_dir),
	ROW("run-mode", SB_OPT_CHOICE, "MODE", "what the entries use (default host)",
	    "host|namespace|bwrap|chroot|auto", run_mode),
	ROW("bind", SB_OPT_LIST, "SRC[:DST]", "show a directory of the target, but in host mode",
	    NULL, bind),
	ROW("no-home", SB_OPT_FLAG, NULL, "do not show the user's home, but in host mode", NULL,
	    no_home),
	ROW("no-net", SB_OPT_FLAG, NULL, "no network, but in host mode", NULL, no_net),
	ROW("trace-backend", SB_OPT_STRING, "BACKEND", "for ::trace= (default auto)", NULL,
	    trace_backend),
	ROW("trace-root", SB_OPT_STRING, "DIR", "take files from DIR, as if it were /", NULL,
	    trace_root),
	ROW("allow-gpu-libs", SB_OPT_FLAG, NULL, "keep the libraries of graphics drivers", NULL,
	    allow_gpu),
	ROW("allow-secrets", SB_OPT_FLAG, NULL, "keep private keys, passwords and credentials",
	    NULL, allow_secrets),
	ROW("strict-validate", SB_OPT_FLAG, NULL, "fail where there would be a warning", NULL,
	    strict),
	ROW("dry-run", SB_OPT_FLAG, NULL, "tell what would be in it, and write nothing", NULL,
	    dry_run),
	ROW("force", SB_OPT_FLAG, NULL, "replace a bundle of that name", NULL, force),
	{0},
};
/* clang-format on */

/* The traces of one program's runs. */
struct runs {
	struct sb_trace **traces;
	size_t count;
};

static void free_runs(struct runs *runs)
{
	for (size_t i = 0; i < runs->count; i++)
		sb_trace_free(runs->traces[i]);
	free(runs->traces);
}

static volatile sig_atomic_t stop_signal;

static void note_signal(int number)
{
	stop_signal = number;
}

/* The first one lets us clear up; without SA_RESETHAND, so that impatience leaves no mess. */
static void catch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction old, action = {.sa_handler = note_signal};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
			(void)sigaction(numbers[i], &action, NULL);
}

/* Whoever started us is to see what ended us. */
static void die_by_signal(int number)
{
	(void)signal(number, SIG_DFL);
	(void)raise(number);
}

static int check_stop(struct sb_err *err)
{
	return stop_signal ? sb_fail(err, EINTR, "make the bundle") : 0;
}

static int remark_run(struct sb_draft *draft, const struct sb_strv *argv, int status,
		      struct sb_err *err)
{
	char how[64];

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	/* As a shell says it: then there was nothing to be seen. */
	if (WIFEXITED(status) && (WEXITSTATUS(status) == 126 || WEXITSTATUS(status) == 127))
		return sb_fail(
			err, SB_ESAID,
			"::trace=: '%s' exited with %d: a command cannot be executed, or was "
			"not found (mend that, or trace it and use --from-trace)",
			argv->items[0], WEXITSTATUS(status));
	(void)snprintf(how, sizeof how, "%s %d", WIFEXITED(status) ? "exit status" : "signal",
		       WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	return sb_remark(&draft->remarks, SB_REMARK_RUN, argv->items[0], how) < 0
		       ? sb_fail(err, ENOMEM, "run '%s'", argv->items[0])
		       : 0;
}

/* One run for ::trace=, its trace read and its file gone again. */
static int trace_once(struct sb_draft *draft, const char *backend, const struct sb_strv *argv,
		      const char *dir, struct sb_trace **ret, struct sb_err *err)
{
	auto_buf file = SB_BUF_INIT;
	struct sb_trace_result result;

	if (sb_buf_printf(&file, "%s/run", dir) < 0)
		return sb_fail(err, ENOMEM, "run '%s'", argv->items[0]);
	struct sb_trace_run run = {
		.backend = backend,
		.output = file.s,
		.spec = {.argv = argv->items, .envp = environ, .apart = 1},
	};
	int rc = sb_trace_run(&run, &result, err);
	if (rc == 0)
		rc = check_stop(err);
	if (rc == 0)
		rc = sb_trace_load(file.s, ret, err);
	if (rc == 0)
		rc = remark_run(draft, argv, result.status, err);
	(void)unlink(file.s); /* its directory goes as well */
	return rc < 0 ? sb_wrap(err, "::trace=") : 0;
}

static int trace_runs(struct sb_draft *draft, const char *backend,
		      const struct sb_create_program *p, struct runs *runs, struct sb_err *err)
{
	const char *temp = getenv("TMPDIR");
	auto_buf dir = SB_BUF_INIT;
	int rc = 0;

	if (!p->run_count)
		return 0;
	if (strcmp(backend, "off") == 0) {
		sb_log(SB_LOG_WARN,
		       "--trace-backend off: '%s' is not run, ::trace= or not: only what can be "
		       "told from its file is bundled",
		       p->path);
		return 0;
	}
	runs->traces = calloc(p->run_count, sizeof *runs->traces);
	if (!runs->traces ||
	    sb_buf_printf(&dir, "%s/sidebundle.XXXXXX", temp && *temp ? temp : "/tmp") < 0)
		return sb_fail(err, ENOMEM, "run '%s'", p->path);
	if (!mkdtemp(dir.s))
		return sb_fail(err, errno, "make a directory for traces as '%s'", dir.s);
	for (size_t i = 0; i < p->run_count && rc == 0; i++) {
		rc = trace_once(draft, backend, &p->runs[i], dir.s, &runs->traces[i], err);
		runs->count += rc == 0;
	}
	(void)rmdir(dir.s);
	return rc;
}

/* Fills the draft; the runs' traces must live as long as it does. */
static int fill(struct sb_draft *draft, const struct sb_create_options *o,
		const struct sb_create_request *request, struct runs *runs, struct sb_err *err)
{
	int rc = 0;

	for (size_t i = 0; i < request->program_count && rc == 0; i++) {
		const struct sb_create_program *p = &request->programs[i];

		rc = trace_runs(draft, o->trace_backend, p, &runs[i], err);
		if (rc == 0)
			rc = sb_draft_program(draft, p->name, p->path,
					      (const struct sb_trace *const *)runs[i].traces,
					      runs[i].count, err);
		if (rc < 0)
			return sb_wrap(err, "--from-host %s", p->path);
	}
	for (size_t i = 0; i < request->replays.count && rc == 0; i++) {
		const struct sb_create_replay *p = &request->replays.items[i];

		rc = sb_draft_replay(draft, p->name, p->runs, p->run_count, err);
		if (rc < 0)
			return sb_wrap(err, "--from-trace %s", p->file);
	}
	for (size_t i = 0; i < request->copy_count && rc == 0; i++) {
		rc = sb_draft_tree(draft, request->copies[i].source, request->copies[i].dest, err);
		if (rc < 0)
			return sb_wrap(err, "--copy-dir");
	}
	if (rc == 0)
		rc = check_stop(err);
	return rc < 0 ? rc : sb_draft_finish(draft, err);
}

static void show_progress(void *arg, size_t done, size_t all)
{
	(void)arg;
	if (done % 64 == 0)
		fprintf(stderr, "\r%zu of %zu files", done, all);
}

static int check_strict(const struct sb_draft *draft, const struct sb_create_options *o,
			struct sb_err *err)
{
	size_t warnings = sb_remarks_warnings(&draft->remarks);

	if (!o->strict || !warnings)
		return 0;
	return sb_fail(err, SB_ESAID,
		       "%zu warning%s, and --strict-validate was given: no bundle was made",
		       warnings, warnings == 1 ? "" : "s");
}

static int write_bundle(struct sb_draft *draft, const struct sb_create_options *o,
			const struct sb_create_request *request, struct sb_err *err)
{
	auto_site site = SB_SITE_INIT;
	auto_buf launcher = SB_BUF_INIT, start = SB_BUF_INIT, place = SB_BUF_INIT;
	uint64_t size;
	int rc = sb_libexec_dir(&launcher, err);

	if (rc < 0)
		return rc;
	if (sb_buf_printf(&start, "%s/start", launcher.s) < 0 ||
	    sb_buf_puts(&launcher, "/launcher") < 0)
		return sb_fail(err, ENOMEM, "make the bundle");
	struct sb_bundle_spec spec = {
		.name = o->name,
		.run_mode = o->run_mode,
		.set_env = o->set_env.items,
		.binds = (const char *const *)request->binds.items,
		.binds_at = (const char *const *)request->binds_at.items,
		.no_home = o->no_home,
		.no_net = o->no_net,
		.launcher = launcher.s,
		.start = start.s,
		.stop = &stop_signal,
		.progress = isatty(STDERR_FILENO) ? show_progress : NULL,
	};
	/* What is made here, we have to be able to go on with. */
	(void)umask(umask(0) & ~(mode_t)S_IRWXU);
	rc = sb_site_open(o->out_dir, o->name, o->force, &site, err);
	if (rc == 0)
		rc = sb_bundle_write(draft, &spec, &site, &size, err);
	if (spec.progress)
		fputs("\r\033[K", stderr);
	if (rc < 0)
		return rc;
	sb_create_warn(&draft->remarks);
	rc = check_strict(draft, o, err);
	if (rc == 0)
		rc = check_stop(err);
	if (rc == 0 && sb_buf_puts(&place, site.shown) < 0)
		rc = sb_fail(err, ENOMEM, "make the bundle");
	if (rc == 0)
		rc = sb_site_commit(&site, err);
	if (rc == 0)
		sb_create_summary(draft, place.s, false);
	return rc;
}

/* The real paths that are of our own making: the traces that are read, and the bundle. */
static int own_paths(const struct sb_create_options *o, const struct sb_create_request *request,
		     struct sb_strv *ret, struct sb_err *err)
{
	for (size_t i = 0; i <= request->replays.source_count; i++) {
		bool last = i == request->replays.source_count;
		auto_buf path = SB_BUF_INIT, real = SB_BUF_INIT;
		struct sb_err ignored = SB_ERR_INIT;

		if (sb_path_absolute(&path, request->cwd,
				     last ? o->out_dir : request->replays.sources[i].file) < 0 ||
		    (last && (sb_buf_putc(&path, '/') < 0 || sb_buf_puts(&path, o->name) < 0)))
			return sb_fail(err, ENOMEM, "read the command line");
		if (sb_resolve("", path.s, SB_RESOLVE_MISSING, NULL, NULL, &real, &ignored) == 0 &&
		    sb_strv_add(ret, real.s) < 0)
			return sb_fail(err, ENOMEM, "read the command line");
	}
	return 0;
}

static int create(const struct sb_create_options *o, const struct sb_create_request *request,
		  struct runs *runs, struct sb_err *err)
{
	auto_strv own = SB_STRV_INIT;
	struct sb_rules rules = {
		.include = (const char *const *)request->include.items,
		.exclude = (const char *const *)request->exclude.items,
		.allow_gpu = o->allow_gpu,
		.allow_secrets = o->allow_secrets,
	};
	struct sb_draft_spec spec = {.root = o->trace_root, .rules = &rules};
	struct sb_draft *draft = NULL;
	int rc = own_paths(o, request, &own, err);

	rules.own = (const char *const *)own.items;
	if (!*o->trace_root) {
		spec.library_path = getenv("LD_LIBRARY_PATH");
		spec.path = getenv("PATH");
	}
	if (rc == 0)
		rc = sb_draft_new(&spec, &draft, err);
	if (rc == 0)
		rc = fill(draft, o, request, runs, err);
	if (rc == 0 && o->dry_run) {
		auto_buf place = SB_BUF_INIT;

		sb_create_warn(&draft->remarks);
		if (sb_buf_printf(&place, "%s/%s", o->out_dir, o->name) < 0)
			rc = sb_fail(err, ENOMEM, "plan the bundle");
		else
			sb_create_summary(draft, place.s, true);
		if (rc == 0)
			rc = check_strict(draft, o, err);
	} else if (rc == 0) {
		rc = write_bundle(draft, o, request, err);
	}
	sb_draft_free(draft);
	return rc;
}

/* Host mode shows the whole machine: said where the bundle's own mode makes nothing of an option.
 */
static void warn_host(const struct sb_create_options *o)
{
	if (strcmp(o->run_mode, "host") == 0 && (o->bind.count || o->no_home || o->no_net))
		sb_log(SB_LOG_WARN, "--bind, --no-home and --no-net mean nothing in host mode, "
				    "which the bundle has: give it another with --run-mode");
}

static int check_and_create(const struct sb_create_options *o, struct sb_err *err)
{
	struct sb_create_request request = {0};
	int rc = sb_create_request_read(o, &request, err);

	/* Before any run that may take long. */
	if (rc == 0 && !o->dry_run)
		rc = sb_site_check(o->out_dir, o->name, o->force, err);
	if (rc == 0) {
		struct runs *runs = calloc(request.program_count + 1, sizeof *runs);

		catch_signals();
		rc = runs ? create(o, &request, runs, err)
			  : sb_fail(err, ENOMEM, "make the bundle");
		for (size_t i = 0; runs && i < request.program_count; i++)
			free_runs(&runs[i]);
		free(runs);
		if (rc < 0 && stop_signal)
			die_by_signal(stop_signal);
	}
	sb_create_request_free(&request);
	return rc;
}

static int run(int argc, char **argv, struct sb_err *err)
{
	struct sb_create_options o = {.name = "bundle",
				      .out_dir = "target/bundles",
				      .run_mode = "host",
				      .trace_backend = "auto",
				      .trace_root = ""};
	int first, rc = sb_options_parse(&sb_cmd_create, argc, argv, false, &o, &first, err);

	if (rc == 0 && first < argc)
		rc = sb_fail(err, SB_EUSAGE, "create: '%s' is no option (see create --help)",
			     argv[first]);
	if (rc == 0)
		rc = sb_backend_option("trace-backend", o.trace_backend, true, err);
	if (rc == 0)
		warn_host(&o);
	if (rc == 0)
		rc = check_and_create(&o, err);
	else if (rc > 0)
		rc = 0;
	struct sb_strings *lists[] = {&o.from_host, &o.from_trace, &o.copy_dir, &o.set_env,
				      &o.include,   &o.exclude,	   &o.bind};
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++)
		sb_strings_free(lists[i]);
	return rc;
}

const struct sb_command sb_cmd_create = {
	.name = "create",
	.args = "OPTION...",
	.summary = "build a bundle from programs and traces",
	.options = table,
	.details = "At least one --from-host or --from-trace is needed. A GLOB that does not begin "
		   "with\n"
		   "two stars is taken from here; what it matches stands for all below it.\n",
	.run = run,
};
