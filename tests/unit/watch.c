/* Processes watched from outside, where nobody tells what a call came to: children that do it. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracer/watch.h"

#ifdef __aarch64__
#define NATIVE SB_ABI_AARCH64
#else
#define NATIVE SB_ABI_X86_64
#endif
#define AT(x) ((uint64_t)(uintptr_t)(x))

static char trace_path[64];
static struct sb_sink *sink;
static struct sb_watch *watch;
static const char *const cat[] = {"/bin/cat", NULL};
static const char missing[] = "/none/at/all";
static uint32_t done[8];
static unsigned done_count;

static void note_done(void *arg, uint32_t number)
{
	(void)arg;
	if (done_count < 8)
		done[done_count++] = number;
}

static void set_up(void)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace_header header = {.backend = "notify", .argv = cat, .cwd = "/"};
	struct sb_trace_writer *w;

	strcpy(trace_path, "/tmp/sb-watch-XXXXXX");
	close(mkstemp(trace_path));
	cr_assert(eq(int, sb_trace_create(trace_path, &header, &w, &err), 0), "%s", err.msg);
	struct sb_sink_spec to = {.writer = w, .backend = "notify"};
	cr_assert(eq(int, sb_sink_new(&to, &sink, &err), 0));
	struct sb_watch_spec spec = {.sink = sink, .backend = "notify", .done = note_done};
	cr_assert(eq(int, sb_watch_new(&spec, &watch, &err), 0));
}

static void tear_down(void)
{
	sb_watch_free(watch);
	sb_sink_free(sink);
	(void)unlink(trace_path);
}

TestSuite(watch, .init = set_up, .fini = tear_down, .timeout = 30);

struct kid {
	pid_t pid;
	int say, hear; /* it execs when told; and its image speaks, or its end is heard */
};

/* It waits to be told, and becomes cat, which says what it hears; or does not. */
static struct kid start(const char *path)
{
	int down[2], up[2];

	cr_assert(eq(int, pipe2(down, O_CLOEXEC), 0));
	cr_assert(eq(int, pipe2(up, O_CLOEXEC), 0));
	pid_t pid = fork();
	if (pid == 0) {
		char byte;

		(void)dup2(down[0], STDIN_FILENO);
		(void)dup2(up[1], STDOUT_FILENO);
		close(down[1]);
		if (read(STDIN_FILENO, &byte, 1) == 1)
			(void)execv(path, (char *const *)(uintptr_t)cat);
		(void)!write(STDOUT_FILENO, "!", 1);
		while (read(STDIN_FILENO, &byte, 1) > 0)
			continue;
		_exit(1);
	}
	close(down[0]);
	close(up[1]);
	return (struct kid){pid, down[1], up[0]};
}

static void end(struct kid kid)
{
	close(kid.say);
	(void)waitpid(kid.pid, NULL, 0);
	close(kid.hear);
}

static struct sb_trace *finish(void)
{
	struct sb_sink_summary sum;
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace *t;

	sb_watch_finish(watch);
	cr_assert(eq(int, sb_sink_finish(sink, 0, &sum, &err), 0), "%s", err.msg);
	cr_assert(eq(int, sb_trace_load(trace_path, &t, &err), 0), "%s", err.msg);
	return t;
}

/* The first of its kind; path NULL: any. */
static const struct sb_event *find(const struct sb_trace *t, enum sb_kind kind, const char *path)
{
	for (size_t i = 0; i < t->event_count; i++)
		if (t->events[i].kind == kind && (!path || strcmp(t->events[i].path, path) == 0))
			return &t->events[i];
	return NULL;
}

/* The child's memory is what ours was. */
static void exec_is_guessed(pid_t pid, const char *path)
{
	struct sb_call call = {.abi = NATIVE, .nr = SYS_execve};
	struct sb_watch_call *waits = NULL;

	call.args[0] = AT(path);
	call.args[1] = AT(cat);
	cr_assert(eq(int, sb_watch_enter(watch, pid, &call, &waits), 0));
	cr_assert(waits != NULL);
	sb_watch_guess(watch, waits);
	sb_watch_conclude(watch, waits);
}

static void tell_and_hear(struct kid kid)
{
	char byte;

	cr_assert(write(kid.say, "ab", 2) == 2);
	cr_assert(read(kid.hear, &byte, 1) == 1);
}

/* The call that follows an exec is not reported, where what runs now calls by the bypass. */
Test(watch, a_hello_tells_that_an_exec_has_worked)
{
	struct kid kid = start(cat[0]);
	struct sb_watch_image image = {.pid = kid.pid, .parent = -1, .forked = true};

	uint32_t before = sb_watch_image(watch, &image);
	exec_is_guessed(kid.pid, cat[0]);
	tell_and_hear(kid);
	image.forked = false;
	image.executed = true;
	uint32_t after = sb_watch_image(watch, &image);
	cr_expect(ne(u32, before, after));
	cr_expect(eq(uint, done_count, 1));
	cr_expect(eq(u32, done[0], before));
	cr_expect(eq(u32, sb_watch_image(watch, &image), after));
	end(kid);
}

/* Heard of again, its memory tells what became of it. */
Test(watch, an_exec_that_did_not_work_leaves_it_what_it_was)
{
	struct kid kid = start(missing);
	struct sb_watch_image image = {.pid = kid.pid, .parent = -1, .forked = true};

	uint32_t before = sb_watch_image(watch, &image);
	exec_is_guessed(kid.pid, missing);
	tell_and_hear(kid);
	exec_is_guessed(kid.pid, missing);
	cr_expect(eq(i64, sb_watch_number(watch, kid.pid), before));
	cr_expect(eq(uint, done_count, 0));
	end(kid);
}

Test(watch, an_exec_that_worked_is_seen_when_it_is_heard_of_again)
{
	struct kid kid = start(cat[0]);
	struct sb_watch_image image = {.pid = kid.pid, .parent = -1, .forked = true};
	struct sb_call call = {.abi = NATIVE, .nr = SYS_fchdir, .args = {0}};
	struct sb_watch_call *waits = NULL;

	uint32_t before = sb_watch_image(watch, &image);
	exec_is_guessed(kid.pid, cat[0]);
	tell_and_hear(kid);
	(void)sb_watch_enter(watch, kid.pid, &call, &waits);
	cr_expect(ne(i64, sb_watch_number(watch, kid.pid), before));
	if (waits)
		sb_watch_drop(watch, waits);
	end(kid);
}

/* An exec that only the image which it made tells of: with the program's linker, as of any exec. */
Test(watch, an_exec_that_passed_is_told_by_its_hello)
{
	struct kid kid = start(cat[0]);
	struct sb_watch_image image = {.pid = kid.pid, .parent = -1, .forked = true};
	uint32_t before = sb_watch_image(watch, &image);

	sb_watch_passes(watch, 1);
	tell_and_hear(kid);
	image = (struct sb_watch_image){.pid = kid.pid,
					.parent = before,
					.executed = true,
					.passed = true,
					.root = "",
					.exe = cat[0]};
	uint32_t after = sb_watch_image(watch, &image);
	cr_expect(ne(u32, before, after));
	cr_expect(eq(i64, sb_watch_number(watch, kid.pid), after));
	cr_expect(eq(uint, done_count, 1));
	cr_expect(eq(u32, done[0], before));
	image.passed = false;
	cr_expect(eq(u32, sb_watch_image(watch, &image), after));
	struct sb_trace *t = finish();
	cr_assert(find(t, SB_EXEC, cat[0]) != NULL);
	cr_expect(eq(u32, find(t, SB_EXEC, cat[0])->process, before));
	cr_assert(find(t, SB_OPEN, NULL) != NULL);
	cr_expect(eq(u32, find(t, SB_OPEN, NULL)->process, after));
	sb_trace_free(t);
	end(kid);
}

/* A vfork child writes into its parent's log: it is a process all the same. */
Test(watch, the_child_that_made_it_is_a_process_of_its_own)
{
	struct kid kid = start(cat[0]);
	struct sb_watch_image image = {.pid = getpid(), .parent = -1};
	uint32_t before = sb_watch_image(watch, &image);

	tell_and_hear(kid);
	image = (struct sb_watch_image){.pid = kid.pid,
					.ppid = getpid(),
					.parent = before,
					.by_child = true,
					.parent_exe = "/us",
					.executed = true,
					.passed = true,
					.root = "",
					.exe = cat[0]};
	uint32_t after = sb_watch_image(watch, &image);
	end(kid);
	struct sb_trace *t = finish();
	cr_assert(eq(sz, t->process_count, 3));
	cr_expect(eq(i64, t->processes[1].parent, before));
	cr_expect(t->processes[1].forked);
	cr_expect(eq(str, (char *)t->processes[1].exe, "/us"));
	cr_expect(eq(u32, t->processes[2].id, after));
	cr_expect(eq(i64, t->processes[2].parent, t->processes[1].id));
	sb_trace_free(t);
}

/* One that failed, and another one that worked and was not told: its memory tells of the latter. */
Test(watch, an_exec_that_failed_before_one_that_passed)
{
	struct kid kid = start(cat[0]);
	struct sb_watch_image image = {.pid = kid.pid, .parent = -1, .forked = true};
	struct sb_call call = {.abi = NATIVE, .nr = SYS_fchdir, .args = {0}};
	struct sb_watch_call *waits = NULL;

	uint32_t before = sb_watch_image(watch, &image);
	exec_is_guessed(kid.pid, missing);
	sb_watch_passes(watch, 1);
	tell_and_hear(kid);
	(void)sb_watch_enter(watch, kid.pid, &call, &waits);
	cr_expect(eq(i64, sb_watch_number(watch, kid.pid), before));
	if (waits)
		sb_watch_drop(watch, waits);
	end(kid);
	struct sb_trace *t = finish();
	cr_assert(find(t, SB_EXEC, missing) != NULL);
	cr_expect(eq(i32, find(t, SB_EXEC, missing)->outcome, ENOENT));
	sb_trace_free(t);
}
