#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tracer/sink.h"
#include "tracer/trace.h"

static struct sb_sink *sink;
static char path[64];

static void set_up(void)
{
	static const char *const argv[] = {"first", NULL};
	static const struct sb_trace_header header = {
		.backend = "audit", .version = "0", .cwd = "/", .argv = argv};
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace_writer *w;

	strcpy(path, "/tmp/sb-sink-XXXXXX");
	close(mkstemp(path));
	cr_assert(eq(int, sb_trace_create(path, &header, &w, &err), 0));
	struct sb_sink_spec spec = {.writer = w, .backend = "audit"};
	cr_assert(eq(int, sb_sink_new(&spec, &sink, &err), 0));
}

static void tear_down(void)
{
	sb_sink_free(sink);
	unlink(path);
}

TestSuite(sink, .init = set_up, .fini = tear_down);

static void add(uint32_t process, enum sb_kind kind, const char *name)
{
	sb_sink_event(sink, &(struct sb_event){
				    .kind = kind,
				    .op = SB_OP_OPEN,
				    .process = process,
				    .existed = SB_TRI_UNKNOWN,
				    .count = 1,
				    .path = name,
				    .real = name,
			    });
}

static struct sb_trace *load(void)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace *t = NULL;

	cr_assert(eq(int, sb_trace_load(path, &t, &err), 0), "%s", err.msg);
	return t;
}

static struct sb_trace *finish(void)
{
	struct sb_sink_summary sum;
	struct sb_err err = SB_ERR_INIT;

	cr_assert(eq(int, sb_sink_finish(sink, 0, &sum, &err), 0), "%s", err.msg);
	return load();
}

static size_t lines_with(const char *text)
{
	char line[4096];
	size_t count = 0;
	FILE *f = fopen(path, "r");

	cr_assert(f != NULL);
	while (fgets(line, sizeof line, f))
		count += strstr(line, text) != NULL;
	fclose(f);
	return count;
}

Test(sink, what_is_saved_is_in_the_file_before_its_end)
{
	sb_sink_process(sink, &(struct sb_trace_process){.parent = -1, .exe = "/bin/first"});
	add(0, SB_OPEN, "/a");
	add(70, SB_OPEN, "/b");
	cr_expect(eq(sz, lines_with("\"event\""), 0));
	sb_sink_save(sink);
	struct sb_trace *t = load();
	cr_expect(not(t->end.closed));
	cr_expect(eq(sz, t->event_count, 2));
	cr_expect(eq(sz, lines_with("\"process\":0,\"parent\""), 1));
	sb_trace_free(t);
}

Test(sink, it_stands_once_more_only_where_there_is_more)
{
	add(0, SB_OPEN, "/a");
	add(3, SB_OPEN, "/b");
	sb_sink_save(sink);
	/* A process that was passed over comes back. */
	add(0, SB_OPEN, "/c");
	add(3, SB_OPEN, "/b");
	add(3, SB_OPEN, "/b");
	for (int i = 0; i < 3; i++)
		sb_sink_save(sink);
	cr_expect(eq(sz, lines_with("\"/c\""), 1));
	cr_expect(eq(sz, lines_with("\"event\""), 3));
	struct sb_trace *t = finish();
	cr_expect(eq(sz, lines_with("\"event\""), 4));
	cr_assert(eq(sz, t->event_count, 3));
	cr_expect(eq(str, (char *)t->events[1].path, "/b"));
	cr_expect(eq(u64, t->events[1].count, 3));
	sb_trace_free(t);
}

Test(sink, what_was_not_known_of_a_file_when_it_was_saved_is_told_later)
{
	add(0, SB_WRITE, "/new");
	add(0, SB_WRITE, "/unknown");
	sb_sink_save(sink);
	cr_expect(eq(sz, lines_with("\"existed\":null"), 2));
	sb_sink_existed(sink, "/new", SB_NO);
	struct sb_trace *t = finish();
	cr_assert(eq(sz, t->event_count, 2));
	cr_expect(eq(int, t->events[0].existed, SB_NO));
	cr_expect(eq(u64, t->events[0].count, 1));
	cr_expect(eq(int, t->events[1].existed, SB_TRI_UNKNOWN));
	cr_expect(eq(sz, lines_with("\"event\""), 3));
	sb_trace_free(t);
}

Test(sink, a_process_that_is_done_begins_anew)
{
	add(0, SB_OPEN, "/a");
	sb_sink_save(sink);
	sb_sink_done(sink, 0);
	add(0, SB_OPEN, "/b");
	sb_sink_save(sink);
	cr_expect(eq(sz, lines_with("\"/a\""), 1));
	cr_expect(eq(sz, lines_with("\"/b\""), 1));
}
