#include "tracer/trace_run.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/log.h"
#include "common/path.h"
#include "tracer/apart.h"
#include "tracer/child.h"

/* Programs that a warning names; the trace has them all. */
#define NAMED_MOST 8

/* A name that says it holds a secret, as they are spelt: API_TOKEN, aws_secret_access_key. */
static bool secret(const char *variable)
{
	static const char *const within[] = {"TOKEN",	   "SECRET",	 "PASSW",
					     "PASSPHRASE", "CREDENTIAL", "APIKEY"};
	static const char *const ends[] = {"_KEY", "_PASS", "_PWD"};
	char name[256];
	size_t len = 0;

	for (; variable[len] && variable[len] != '=' && len + 1 < sizeof name; len++)
		name[len] = (char)toupper((unsigned char)variable[len]);
	name[len] = '\0';
	for (size_t i = 0; i < sizeof within / sizeof *within; i++)
		if (strstr(name, within[i]))
			return true;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		size_t n = strlen(ends[i]);

		if (len >= n && strcmp(name + len - n, ends[i]) == 0)
			return true;
	}
	return strncmp(name, "AWS_", 4) == 0;
}

/* What may be stored of the environment; the array alone is the caller's. */
static const char **storable(char *const *envp)
{
	size_t count = 0, n = 0;

	while (envp[count])
		count++;
	const char **kept = calloc(count + 1, sizeof *kept);
	for (size_t i = 0; kept && i < count; i++)
		if (strchr(envp[i], '=') > envp[i] && strncmp(envp[i], "SIDEBUNDLE_", 11) != 0 &&
		    !secret(envp[i]))
			kept[n++] = envp[i];
	return kept;
}

static int create_trace(const struct sb_trace_run *run, const struct sb_backend *backend,
			const char *why, struct sb_trace_writer **ret, struct sb_err *err)
{
	struct utsname machine;
	auto_free char *cwd = getcwd(NULL, 0);
	auto_free const char **env = storable(run->spec.envp);

	if (!cwd)
		return sb_fail(err, errno, "find the working directory");
	if (!env)
		return sb_fail(err, ENOMEM, "start the trace");
	struct sb_trace_header header = {
		.backend = backend->name,
		.why = *why ? why : NULL,
		.version = SB_VERSION,
		.arch = uname(&machine) == 0 ? machine.machine : NULL,
		.cwd = cwd,
		.argv = (const char *const *)run->spec.argv,
		.env = env,
		.started = time(NULL),
	};
	return sb_trace_create(run->output, &header, ret, err);
}

/* The trace itself is no event; but a device that it goes to may be. */
static void hide_output(struct sb_sink *sink, const char *output)
{
	char real[PATH_MAX];
	struct stat st;

	if (stat(output, &st) == 0 && S_ISREG(st.st_mode) && realpath(output, real))
		sb_sink_hide(sink, real);
}

static void add_part(struct sb_buf *line, const char *part)
{
	if (line->len)
		(void)sb_buf_puts(line, "; ");
	(void)sb_buf_puts(line, part);
}

/* What a part of the line is about, and how it ends. */
enum group { UNSEEN, REFUSED, UNPRIVILEGED, GROUP_COUNT, NO_PROGRAM };

static const struct {
	const char *one, *many, *after;
} groups[GROUP_COUNT] = {
	[UNSEEN] = {"was not seen into", "were not seen into", ""},
	[REFUSED] = {"could not trace what is traced already",
		     "could not trace what is traced already", "; -b audit lets them"},
	[UNPRIVILEGED] = {"ran without the privilege of its set-id bits",
			  "ran without the privilege of their set-id bits",
			  "; -b audit leaves it to them"},
};

static enum group group_of(enum sb_blind blind)
{
	switch (blind) {
	case SB_BLIND_OUTLIVED:
	case SB_BLIND_LOST:
	case SB_BLIND_SANDBOX:
	case SB_BLIND_LIBC:
	case SB_BLIND_DIED:
	case SB_BLIND_MOUNTED:
	case SB_BLIND_UNNAMED:
		return NO_PROGRAM;
	case SB_BLIND_DEBUGGER:
		return REFUSED;
	case SB_BLIND_PRIVILEGE_LOST:
		return UNPRIVILEGED;
	default:
		return UNSEEN;
	}
}

/* "2 programs were not seen into: /bin/a (static), /bin/b (static)". */
static void add_programs(struct sb_buf *line, const struct sb_sink_summary *sum, enum group group)
{
	auto_buf seen = SB_BUF_INIT, part = SB_BUF_INIT;
	unsigned long long programs = 0;
	unsigned named = 0;

	for (size_t i = 0; i < sum->blind_count; i++) {
		const struct sb_trace_blind *b = &sum->blind[i];

		if (group_of(b->blind) != group)
			continue;
		programs += b->count;
		if (named++ < NAMED_MOST)
			(void)sb_buf_printf(&seen, "%s%s (%s)", seen.len ? ", " : "",
					    b->path ? b->path : "?", sb_blind_name(b->blind));
	}
	if (!programs)
		return;
	(void)sb_buf_printf(&part, "%llu program%s %s: %s", programs, programs == 1 ? "" : "s",
			    programs == 1 ? groups[group].one : groups[group].many,
			    sb_buf_str(&seen));
	if (named > NAMED_MOST)
		(void)sb_buf_printf(&part, " and %u more", named - NAMED_MOST);
	(void)sb_buf_puts(&part, groups[group].after);
	add_part(line, sb_buf_str(&part));
}

static unsigned long long count_of(const struct sb_sink_summary *sum, enum sb_blind blind)
{
	unsigned long long count = 0;

	for (size_t i = 0; i < sum->blind_count; i++)
		count += sum->blind[i].blind == blind ? sum->blind[i].count : 0;
	return count;
}

/* What is no program that was not seen into: told by how many there were. */
static const struct {
	enum sb_blind blind;
	const char *one, *many;
} counted[] = {
	{SB_BLIND_LIBC,
	 "program was watched as far as calls of libc go: what libc opened for itself was not seen",
	 "programs were watched as far as calls of libc go: what libc opened for itself was not "
	 "seen"},
	{SB_BLIND_UNNAMED,
	 "program named files from a directory that has no name to tell (over 4,095 bytes, or no "
	 "/proc "
	 "in its root): they were not seen",
	 "programs named files from directories that have no name to tell (over 4,095 bytes, or no "
	 "/proc "
	 "in their root): they were not seen"},
	{SB_BLIND_MOUNTED,
	 "file system was not watched from the beginning: not all that was opened there was seen",
	 "file systems were not watched from the beginning: not all that was opened there was "
	 "seen"},
	{SB_BLIND_OUTLIVED,
	 "process was still running when the trace ended (--wait-all waits for them)",
	 "processes were still running when the trace ended (--wait-all waits for them)"},
};

static void add_count(struct sb_buf *line, unsigned long long count, const char *one,
		      const char *many)
{
	auto_buf part = SB_BUF_INIT;

	if (count && sb_buf_printf(&part, "%llu %s", count, count == 1 ? one : many) == 0)
		add_part(line, sb_buf_str(&part));
}

/* One line, whatever there was: the trace has the details. */
static void warn(const struct sb_sink_summary *sum)
{
	auto_buf line = SB_BUF_INIT;

	for (enum group group = 0; group < GROUP_COUNT; group++)
		add_programs(&line, sum, group);
	for (size_t i = 0; i < sizeof counted / sizeof *counted; i++)
		add_count(&line, count_of(sum, counted[i].blind), counted[i].one, counted[i].many);
	add_count(&line, sum->lost, "record was lost: the trace is not complete",
		  "records were lost: the trace is not complete");
	if (line.len)
		sb_log(SB_LOG_WARN, "%s", line.s);
}

static enum sb_trace_trouble trouble_of(int rc)
{
	switch (rc) {
	case 0:
		return SB_TRACE_RAN;
	case -ETIME:
		return SB_TRACE_TIMEOUT;
	case -ENOENT:
		return SB_TRACE_MISSING;
	case -EACCES:
	case -EPERM:
	case -ENOEXEC:
	case -ETXTBSY:
	case -ELOOP:
	case -EISDIR:
		return SB_TRACE_REFUSED;
	default:
		return SB_TRACE_FAILED;
	}
}

/* With the sink ready: the backend's part, and the end. */
static int run_backend(const struct sb_backend *backend, const struct sb_trace_spec *spec,
		       struct sb_sink *sink, struct sb_trace_result *ret, struct sb_err *err)
{
	struct sb_sink_summary sum = {0};
	struct sb_err late = SB_ERR_INIT;
	int rc = backend->run(spec, sink, &ret->status, err);

	ret->trouble = trouble_of(rc);
	if (ret->status < 0)
		return rc; /* never ran: there is nothing to close */
	int end = sb_sink_finish(sink, ret->status, &sum, &late);
	ret->lost = sum.lost;
	if (end < 0) {
		ret->trouble = SB_TRACE_FAILED;
		*err = late;
		return end;
	}
	warn(&sum);
	return rc;
}

/* A run whose backend is chosen. */
struct job {
	const struct sb_trace_run *run;
	const struct sb_backend *backend;
	const char *why; /* not a better one */
	struct sb_child *child;
	struct sb_trace_result *ret;
};

static int run_into(const struct job *job, struct sb_trace_spec *spec, struct sb_err *err)
{
	const struct sb_trace_run *run = job->run;
	struct sb_trace_writer *writer;
	struct sb_sink *sink = NULL;
	int rc = create_trace(run, job->backend, job->why, &writer, err);

	if (rc < 0)
		return rc;
	struct sb_sink_spec sink_spec = {writer, job->backend->name, run->include, run->exclude};
	rc = sb_sink_new(&sink_spec, &sink, err);
	if (rc < 0) {
		sb_trace_abandon(writer);
		return rc;
	}
	hide_output(sink, run->output);
	spec->trace = sb_trace_descriptor(writer);
	rc = run_backend(job->backend, spec, sink, job->ret, err);
	sb_sink_free(sink);
	/* A trace of nothing helps nobody. */
	struct stat st;
	if (job->ret->status < 0 && lstat(run->output, &st) == 0 && S_ISREG(st.st_mode))
		(void)unlink(run->output);
	return rc;
}

/* Here, or in a process of its own. */
static int run_job(void *arg, struct sb_afterlife *after, struct sb_err *err)
{
	const struct job *job = arg;
	struct sb_trace_spec spec = job->run->spec;
	auto_buf program = SB_BUF_INIT, libexec = SB_BUF_INIT;
	int rc = sb_child_find(spec.argv[0], spec.envp, &program, err);

	if (rc < 0) {
		job->ret->trouble = trouble_of(rc);
		return rc;
	}
	rc = sb_libexec_dir(&libexec, err);
	if (rc < 0)
		return rc;
	spec.program = program.s;
	spec.libexec = libexec.s;
	spec.child = job->child;
	spec.after = after;
	return run_into(job, &spec, err);
}

/* By who is left of us: the command went with the watcher, and nobody else can say so. */
static void note_death(const char *output)
{
	auto_fd int fd = open(output, O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd >= 0)
		(void)sb_trace_note_death(fd, time(NULL)); /* else it is cut short, as it is */
}

static int run_prepared(const struct sb_trace_run *run, struct sb_child *child,
			struct sb_trace_result *ret, struct sb_err *err)
{
	struct job job = {.run = run, .child = child, .ret = ret};
	auto_buf why = SB_BUF_INIT;
	int rc = sb_backend_choose(run->backend, &job.backend, &why, err);

	if (rc < 0)
		return rc;
	/* One that has blind spots, where another would have none. */
	bool partial = why.len && strcmp(job.backend->name, "audit") == 0;
	if (strcmp(run->backend, "auto") == 0)
		sb_log(partial ? SB_LOG_WARN : SB_LOG_INFO, "backend auto: takes %s%s%s",
		       job.backend->name, why.len ? "; " : "", sb_buf_str(&why));
	job.why = sb_buf_str(&why);
	if (!job.backend->stays)
		return run_job(&job, NULL, err);
	rc = sb_run_apart(run_job, &job, ret, sizeof *ret, child, err);
	if (rc == -EOWNERDEAD)
		note_death(run->output);
	return rc;
}

int sb_trace_run(const struct sb_trace_run *run, struct sb_trace_result *ret, struct sb_err *err)
{
	struct sb_child child;

	*ret = (struct sb_trace_result){.trouble = SB_TRACE_FAILED, .status = -1};
	sb_child_prepare(&child);
	int rc = run_prepared(run, &child, ret, err);
	sb_child_finish(&child);
	return rc;
}

int sb_trace_exit_code(const struct sb_trace_result *result)
{
	switch (result->trouble) {
	case SB_TRACE_RAN:
		return WIFSIGNALED(result->status) ? 128 + WTERMSIG(result->status)
						   : WEXITSTATUS(result->status);
	case SB_TRACE_TIMEOUT:
		return 124;
	case SB_TRACE_REFUSED:
		return 126;
	case SB_TRACE_MISSING:
		return 127;
	case SB_TRACE_FAILED:
		break;
	}
	return 125;
}
