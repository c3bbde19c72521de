/* The engine over real processes, and the run in a process of its own. */
#include <stdio.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracer/apart.h"
#include "tracer/ptrace.h"
#include "tracer/trace.h"

static struct sb_child child;
static char path[] = "/tmp/sb-ptrace.XXXXXX";

static void set_up(void)
{
	struct sb_err err = SB_ERR_INIT;
	int fd;

	if (sb_ptrace_probe("ptrace", &err) < 0)
		cr_skip_test("needs ptrace of a child, and a seccomp filter: %s", err.msg);
	fd = mkstemp(path);
	cr_assert(fd >= 0);
	close(fd);
	sb_child_prepare(&child);
}

static void tear_down(void)
{
	sb_child_restore(&child);
	(void)unlink(path);
}

TestSuite(ptrace, .init = set_up, .fini = tear_down, .timeout = 30);

struct run {
	int rc, status;
	bool left; /* somebody outlived it */
	struct sb_trace *trace;
};

/* To the command's end; *serve: until nobody is left. */
static struct run watch(const char *program, const char *script, bool serve)
{
	char *argv[] = {(char *)(uintptr_t)program, (char *)(uintptr_t) "-c",
			(char *)(uintptr_t)script, NULL};
	struct sb_trace_spec spec = {
		.argv = argv, .envp = environ, .program = program, .child = &child};
	const struct sb_trace_header header = {.backend = "ptrace",
					       .cwd = "/",
					       .argv = (const char *const *)argv,
					       .env = (const char *const *)environ};
	struct sb_sink_summary sum;
	struct sb_trace_writer *writer;
	struct sb_sink *sink;
	struct sb_ptrace *p;
	struct sb_err err = SB_ERR_INIT;
	struct run run = {0};
	bool ended = false;

	cr_assert(eq(int, sb_trace_create(path, &header, &writer, &err), 0), "%s", err.msg);
	struct sb_sink_spec sink_spec = {.writer = writer, .backend = "ptrace"};
	struct sb_ptrace_spec ptrace = {.trace = &spec};
	cr_assert(eq(int, sb_sink_new(&sink_spec, &sink, &err), 0));
	ptrace.sink = sink;
	cr_assert(eq(int, sb_ptrace_new(&ptrace, &p, &err), 0), "%s", err.msg);
	run.rc = sb_ptrace_start(p, &err);
	while (run.rc == 0 && !ended)
		(void)sb_ptrace_turn(p, &ended, &run.status);
	if (run.rc == 0)
		sb_ptrace_finish(p);
	run.left = run.rc == 0 && sb_ptrace_any(p);
	if (run.left && serve)
		sb_ptrace_serve(p);
	else
		sb_ptrace_free(p);
	cr_assert(eq(int, sb_sink_finish(sink, run.status, &sum, &err), 0), "%s", err.msg);
	sb_sink_free(sink);
	cr_assert(eq(int, sb_trace_load(path, &run.trace, &err), 0), "%s", err.msg);
	return run;
}

/* -1 none. */
static int outcome_of(const struct run *run, enum sb_kind kind, const char *name)
{
	for (size_t i = 0; i < run->trace->event_count; i++) {
		const struct sb_event *ev = &run->trace->events[i];

		if (ev->kind == kind && strcmp(ev->path, name) == 0)
			return ev->outcome;
	}
	return -1;
}

Test(ptrace, outcomes_are_the_kernels)
{
	struct run run = watch(
		"/bin/sh", "read l </etc/passwd; (read l </no/where); /bin/true; exit 7", false);

	cr_expect(eq(int, run.rc, 0));
	cr_expect(eq(int, WEXITSTATUS(run.status), 7));
	cr_expect(eq(int, outcome_of(&run, SB_OPEN, "/etc/passwd"), 0));
	cr_expect(eq(int, outcome_of(&run, SB_OPEN, "/no/where"), ENOENT));
	cr_expect(eq(int, outcome_of(&run, SB_EXEC, "/bin/true"), 0));
	cr_expect(not(run.left));
	sb_trace_free(run.trace);
}

/* A timer needs a place in the queue of signals. */
Test(ptrace, without_a_timer)
{
	const struct rlimit none = {0, 0};

	cr_assert(eq(int, setrlimit(RLIMIT_SIGPENDING, &none), 0));
	struct run run =
		watch("/bin/sh", "(read l </no/where); /bin/sleep 0.1; kill -15 $$", false);
	cr_expect(eq(int, WTERMSIG(run.status), SIGTERM));
	cr_expect(eq(int, outcome_of(&run, SB_OPEN, "/no/where"), ENOENT));
	cr_expect(eq(int, outcome_of(&run, SB_EXEC, "/bin/sleep"), 0));
	cr_expect(not(run.left));
	sb_trace_free(run.trace);
}

Test(ptrace, an_exec_that_fails_is_no_start)
{
	struct run run = watch("/nowhere/at/all", "", false);

	cr_expect(eq(int, run.rc, -ENOENT));
	cr_expect(eq(int, child.pid, 0));
	sb_trace_free(run.trace);
}

Test(ptrace, one_that_is_killed_in_the_middle)
{
	struct run run =
		watch("/bin/sh", "(while :; do read l </etc/passwd; done) & kill -9 $$", false);

	cr_expect(eq(int, WTERMSIG(run.status), SIGKILL));
	cr_expect(run.left);
	sb_trace_free(run.trace);
}

Test(ptrace, who_outlives_it_is_served_to_its_end)
{
	char name[] = "/tmp/sb-went.XXXXXX", script[128];
	int fd = mkstemp(name);

	cr_assert(fd >= 0);
	(void)snprintf(script, sizeof script, "(sleep 0.2; read l </etc/passwd && echo went >%s) &",
		       name);
	struct run run = watch("/bin/sh", script, true);
	cr_expect(run.left);
	cr_expect(eq(long, lseek(fd, 0, SEEK_END), 5));
	cr_assert(ge(sz, run.trace->end.blind_count, 1));
	cr_expect(eq(int, run.trace->end.blind[0].blind, SB_BLIND_OUTLIVED));
	close(fd);
	(void)unlink(name);
	sb_trace_free(run.trace);
}

/* --- apart ------------------------------------------------------------------------------------ */

static int burn(void *arg, struct sb_afterlife *after, struct sb_err *err)
{
	struct rusage used;

	(void)after;
	do
		getrusage(RUSAGE_SELF, &used);
	while (used.ru_utime.tv_usec + used.ru_stime.tv_usec < 50000);
	*(int *)arg = 42;
	return sb_fail(err, EXDEV, "burn");
}

Test(ptrace, what_the_watcher_used_is_accounted_for)
{
	struct sb_err err = SB_ERR_INIT;
	struct rusage used;
	int result = 0;

	cr_expect(
		eq(int, sb_run_apart(burn, &result, &result, sizeof result, &child, &err), -EXDEV));
	cr_expect(eq(int, result, 42));
	cr_expect(eq(str, err.msg, (char *)"burn"));
	cr_assert(eq(int, getrusage(RUSAGE_CHILDREN, &used), 0));
	cr_expect(ge(long, used.ru_utime.tv_usec + used.ru_stime.tv_usec, 50000));
}
