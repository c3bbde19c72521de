#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tracer/trace.h"
#include "tracer/unseen.h"

/* More than a round holds. */
#define MANY 300000

static char path[] = "/tmp/sb-unseen-XXXXXX";
static struct sb_sink *sink;
static struct sb_unseen *unseen;

static void set_up(void)
{
	static const char *const argv[] = {"a", NULL}, *const env[] = {NULL};
	const struct sb_trace_header header = {
		.backend = "combined", .cwd = "/", .argv = argv, .env = env};
	struct sb_sink_spec spec = {.backend = "combined"};
	struct sb_err err = SB_ERR_INIT;

	strcpy(path + strlen(path) - 6, "XXXXXX");
	close(mkstemp(path));
	cr_assert(eq(int, sb_trace_create(path, &header, &spec.writer, &err), 0), "%s", err.msg);
	cr_assert(eq(int, sb_sink_new(&spec, &sink, &err), 0));
	cr_assert(eq(int, sb_unseen_new(sink, "fanotify", &unseen, &err), 0));
}

static void tear_down(void)
{
	unlink(path);
}

TestSuite(unseen, .init = set_up, .fini = tear_down);

static struct sb_trace *finish(void)
{
	struct sb_trace *t = NULL;
	struct sb_sink_summary sum;
	struct sb_err err = SB_ERR_INIT;

	sb_unseen_finish(unseen);
	sb_unseen_free(unseen);
	cr_assert(eq(int, sb_sink_finish(sink, 0, &sum, &err), 0), "%s", err.msg);
	cr_assert(eq(u64, sum.lost, 0));
	sb_sink_free(sink);
	cr_assert(eq(int, sb_trace_load(path, &t, &err), 0), "%s", err.msg);
	return t;
}

static struct sb_event event(uint32_t process, enum sb_kind kind, enum sb_op op, int outcome,
			     const char *real)
{
	return (struct sb_event){.kind = kind,
				 .op = op,
				 .existed = SB_TRI_UNKNOWN,
				 .outcome = outcome,
				 .process = process,
				 .count = 1,
				 .path = real,
				 .real = real};
}

static void told(uint32_t process, enum sb_kind kind, enum sb_op op, int outcome, const char *real)
{
	struct sb_event ev = event(process, kind, op, outcome, real);

	sb_unseen_told(unseen, &ev);
}

static void file(uint32_t image, enum sb_kind kind, const char *real)
{
	struct sb_event ev =
		event(image, kind, kind == SB_WRITE ? SB_OP_OPEN : SB_OP_NONE, 0, real);

	sb_unseen_file(unseen, &ev, false);
}

static void image(uint32_t id, int64_t parent, pid_t pid, uint32_t births, uint32_t execs)
{
	const struct sb_trace_process p = {
		.id = id, .parent = parent, .pid = pid, .forked = execs == 0, .exe = "/image"};

	sb_unseen_process(unseen, &p, &(struct sb_fan_image){pid, births, execs});
}

/* The calls' side tells the trace of it, by a name to know it by. */
static void numbered(pid_t pid, uint32_t number, const char *exe)
{
	sb_sink_process(sink, &(struct sb_trace_process){
				      .id = number, .parent = -1, .pid = pid, .exe = exe});
	sb_unseen_met(unseen, SB_WATCH_NUMBER, pid, number);
}

/* By both, a process of number 7 in the trace: 3 of the files' side. */
static void one_process(void)
{
	sb_unseen_met(unseen, SB_WATCH_BORN, 100, 0);
	numbered(100, 7, "/first");
	image(3, -1, 100, 1, 0);
}

/* `exe`: of its process. */
static bool added(const struct sb_trace *t, const char *exe, enum sb_kind kind, const char *real)
{
	for (size_t i = 0; i < t->event_count; i++)
		if (strcmp(t->processes[t->events[i].process].exe, exe) == 0 &&
		    t->events[i].kind == kind && strcmp(t->events[i].path, real) == 0 &&
		    strcmp(t->events[i].backend, "fanotify") == 0)
			return true;
	return false;
}

Test(unseen, what_the_calls_told_is_not_said_again)
{
	static const struct {
		enum sb_kind calls;
		enum sb_op op;
		int outcome;
		enum sb_kind files;
		bool added;
	} cases[] = {
		{SB_OPEN, SB_OP_NONE, 0, SB_OPEN, false},
		{SB_OPEN, SB_OP_NONE, SB_OUTCOME_UNKNOWN, SB_OPEN, false},
		{SB_OPEN, SB_OP_NONE, ENOENT, SB_OPEN, true},
		{SB_STAT, SB_OP_NONE, 0, SB_OPEN, true},
		{SB_EXEC, SB_OP_NONE, 0, SB_EXEC, false},
		/* It was opened all the same. */
		{SB_EXEC, SB_OP_NONE, ENOEXEC, SB_EXEC, false},
		{SB_OPEN, SB_OP_NONE, 0, SB_EXEC, true},
		{SB_OPEN, SB_OP_NONE, 0, SB_WRITE, true},
		{SB_WRITE, SB_OP_OPEN, 0, SB_WRITE, false},
		{SB_WRITE, SB_OP_OPEN, EACCES, SB_WRITE, true},
		/* Its name when it was closed. */
		{SB_WRITE, SB_OP_RENAME, 0, SB_WRITE, false},
		/* Open for writing still; and what was made, and then read by other means. */
		{SB_WRITE, SB_OP_OPEN, 0, SB_OPEN, false},
		{SB_WRITE, SB_OP_MKNOD, 0, SB_OPEN, true},
	};

	one_process();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "/case-%zu", i);
		/* The kernel may tell before the call is over, or after. */
		if (i % 2)
			file(3, cases[i].files, name);
		told(7, cases[i].calls, cases[i].op, cases[i].outcome, name);
		if (!(i % 2))
			file(3, cases[i].files, name);
	}
	struct sb_trace *t = finish();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "/case-%zu", i);
		cr_expect(eq(int, added(t, "/first", cases[i].files, name), cases[i].added), "%s",
			  name);
	}
	sb_trace_free(t);
}

Test(unseen, a_file_without_a_name_here_is_known_by_its_own)
{
	one_process();
	struct sb_event ev = event(7, SB_OPEN, SB_OP_NONE, 0, "/elsewhere");
	ev.real = NULL;
	sb_unseen_told(unseen, &ev);
	ev.process = 3;
	ev.real = "/here";
	sb_unseen_file(unseen, &ev, false);
	struct sb_trace *t = finish();
	cr_expect(eq(sz, t->event_count, 0));
	sb_trace_free(t);
}

Test(unseen, images_are_told_apart_by_births_and_execs)
{
	one_process();
	sb_unseen_met(unseen, SB_WATCH_BECAME, 100, 0);
	numbered(100, 8, "/second");
	/* Another one gets the number. */
	sb_unseen_met(unseen, SB_WATCH_BORN, 100, 0);
	numbered(100, 9, "/third");
	image(4, 3, 100, 1, 1);
	image(5, -1, 100, 2, 0);
	told(8, SB_OPEN, SB_OP_NONE, 0, "/x");
	file(3, SB_OPEN, "/x");
	file(4, SB_OPEN, "/x");
	file(5, SB_OPEN, "/x");
	struct sb_trace *t = finish();
	cr_expect(added(t, "/first", SB_OPEN, "/x"));
	cr_expect(not(added(t, "/second", SB_OPEN, "/x")));
	cr_expect(added(t, "/third", SB_OPEN, "/x"));
	sb_trace_free(t);
}

Test(unseen, who_made_no_call_gets_a_number_at_the_end)
{
	one_process();
	sb_unseen_met(unseen, SB_WATCH_BORN, 101, 0);
	image(6, 3, 101, 1, 0);
	file(6, SB_OPEN, "/ring");
	sb_unseen_settle(unseen);
	sb_unseen_settle(unseen);
	/* Told by then, it has the other side's. */
	sb_unseen_met(unseen, SB_WATCH_BORN, 102, 0);
	image(9, 6, 102, 1, 0);
	file(9, SB_OPEN, "/late");
	sb_unseen_settle(unseen);
	numbered(102, 12, "/late");
	struct sb_trace *t = finish();
	cr_expect(added(t, "/late", SB_OPEN, "/late"));
	cr_expect(added(t, "/image", SB_OPEN, "/ring"));
	const struct sb_trace_process *last = &t->processes[t->process_count - 1];
	cr_expect(eq(int, last->pid, 101));
	cr_assert(ge(i64, last->parent, 0));
	cr_expect(eq(int, t->processes[last->parent].pid, 100));
	sb_trace_free(t);
}

Test(unseen, rounds_forget_and_say_nothing_twice)
{
	char name[32];
	unsigned settled = 0;

	one_process();
	file(3, SB_OPEN, "/under-way");
	for (unsigned i = 0; i < 4 * MANY; i++) {
		(void)snprintf(name, sizeof name, "/f%u", i);
		/* Every third is heard of later by the one side, every third by the other. */
		if (i % 3 == 0)
			file(3, SB_OPEN, name);
		told(7, SB_OPEN, SB_OP_NONE, 0, name);
		if (i % 3)
			file(3, SB_OPEN, name);
		if (i == MANY / 2)
			told(7, SB_OPEN, SB_OP_NONE, 0, "/under-way");
		if (sb_unseen_full(unseen)) {
			sb_unseen_settle(unseen);
			settled++;
		}
	}
	cr_expect(ge(uint, settled, 4));
	struct sb_trace *t = finish();
	cr_expect(eq(sz, t->event_count, 0));
	sb_trace_free(t);
}

Test(unseen, a_guess_is_anybodys)
{
	one_process();
	sb_unseen_met(unseen, SB_WATCH_BORN, 101, 0);
	numbered(101, 8, "/second");
	image(4, 3, 101, 1, 0);
	told(7, SB_WRITE, SB_OP_OPEN, 0, "/log");
	struct sb_event ev = event(4, SB_WRITE, SB_OP_OPEN, 0, "/log");
	sb_unseen_file(unseen, &ev, true);
	struct sb_trace *t = finish();
	cr_expect(eq(sz, t->event_count, 0));
	sb_trace_free(t);
}
