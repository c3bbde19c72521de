#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tracer/merge.h"
#include "tracer/trace_split.h"

static char path[] = "/tmp/sb-merge-XXXXXX";

static void make_file(void)
{
	strcpy(path + strlen(path) - 6, "XXXXXX");
	close(mkstemp(path));
}

static void remove_file(void)
{
	unlink(path);
}

TestSuite(merge, .init = make_file, .fini = remove_file);

#define HEAD(cwd)   "{\"sidebundle-trace\":1,\"cwd\":\"" cwd "\",\"argv\":[\"a\"],\"started\":1}\n"
#define END(status) "{\"end\":true,\"status\":" status ",\"lost\":1}\n"
#define PROCESS(id, parent, exe) \
	"{\"process\":" id ",\"parent\":" parent ",\"pid\":5,\"exe\":\"" exe "\"}\n"
#define OPEN(id, name, outcome)                                                         \
	"{\"event\":\"open\",\"process\":" id ",\"path\":\"" name "\",\"real\":\"" name \
	"\",\"outcome\":" outcome ",\"count\":1}\n"
#define NOTE(name, size, mtime)                                               \
	"{\"file\":\"" name "\",\"dev\":\"1\",\"ino\":\"1\",\"size\":\"" size \
	"\",\"mtime\":\"" mtime ".000000000\",\"mode\":33188}\n"

static struct sb_trace *load(const char *text)
{
	struct sb_trace *t = NULL;
	struct sb_err err = SB_ERR_INIT;
	FILE *out = text ? fopen(path, "w") : NULL;

	if (out) {
		fputs(text, out);
		fclose(out);
	}
	cr_assert(eq(int, sb_trace_load(path, &t, &err), 0), "%s", err.msg);
	return t;
}

static const char first[] =
	HEAD("/one") PROCESS("4", "null", "/bin/a") PROCESS("2", "4", "/bin/b") OPEN("2", "/f", "0")
		OPEN("9", "/g", "2") NOTE("/f", "3", "7") NOTE("/same", "3", "7") END("256");
static const char second[] = HEAD("/two") PROCESS("0", "null", "/bin/a") OPEN("0", "/f", "13")
	NOTE("/f", "4", "8") NOTE("/same", "3", "7") NOTE("/later", "3", "9");

/* Merged, and read again. */
static struct sb_trace *merge_two(struct sb_merge_summary *sum)
{
	struct sb_trace *a = load(first), *b = load(second);
	const struct sb_trace *both[] = {a, b};
	struct sb_err err = SB_ERR_INIT;

	cr_assert(eq(int, sb_trace_merge(both, 2, path, sum, &err), 0), "%s", err.msg);
	sb_trace_free(a);
	sb_trace_free(b);
	return load(NULL);
}

Test(merge, keeps_commands_apart)
{
	struct sb_merge_summary sum;
	struct sb_trace *t = merge_two(&sum);

	cr_assert(eq(sz, sum.commands, 2));
	cr_assert(eq(sz, t->command_count, 2));
	cr_assert(eq(str, (char *)t->commands[0].header.cwd, "/one"));
	cr_assert(eq(str, (char *)t->commands[1].header.cwd, "/two"));
	cr_assert(eq(int, t->commands[0].status, 256));
	cr_assert(eq(int, t->commands[1].status, -1), "it was cut short");
	cr_assert(eq(int, t->end.status, 256));
	cr_assert(eq(u64, t->end.lost, 1));
	cr_assert(eq(sz, t->process_count, 4));
	cr_assert(eq(sz, t->event_count, 3));
	for (size_t i = 0; i < t->process_count; i++)
		cr_assert(eq(u32, t->processes[i].command, i == 3));
	sb_merge_summary_free(&sum);
	sb_trace_free(t);
}

Test(merge, tells_files_apart)
{
	struct sb_merge_summary sum;
	struct sb_trace *t = merge_two(&sum);
	const struct sb_trace_file *f = sb_trace_find_file(t, "/f");

	cr_assert(eq(sz, sum.conflicts.count, 1));
	cr_assert(eq(str, (char *)sum.conflicts.entries[0].key, "/f"));
	cr_assert(eq(u64, f->size, 4));
	f = sb_trace_other_file(t, f);
	cr_assert(f != NULL);
	cr_assert(eq(u64, f->size, 3));
	cr_assert(sb_trace_other_file(t, f) == NULL);
	cr_assert(sb_trace_other_file(t, sb_trace_find_file(t, "/same")) == NULL);
	cr_assert(eq(sz, t->file_count, 4));
	sb_merge_summary_free(&sum);
	sb_trace_free(t);
}

/* Outside merged traces a second look replaces the first. */
Test(merge, one_machine_has_one_file_of_a_name)
{
	struct sb_trace *t = load(HEAD("/") NOTE("/f", "1", "1") NOTE("/f", "2", "2"));

	cr_assert(eq(sz, t->file_count, 1));
	cr_assert(eq(u64, sb_trace_find_file(t, "/f")->size, 2));
	sb_trace_free(t);
}

Test(merge, splits_again)
{
	struct sb_merge_summary sum;
	struct sb_trace *t = merge_two(&sum);
	struct sb_trace_parts parts = SB_TRACE_PARTS_INIT;
	struct sb_err err = SB_ERR_INIT;

	cr_assert(eq(int, sb_trace_split(t, &parts, &err), 0));
	cr_assert(eq(sz, parts.count, 2));
	const struct sb_trace *a = &parts.items[0], *b = &parts.items[1];
	cr_assert(eq(str, (char *)a->header.cwd, "/one"));
	cr_assert(eq(sz, a->process_count, 3));
	cr_assert(eq(str, (char *)a->processes[1].exe, "/bin/b"));
	cr_assert(eq(i64, a->processes[1].parent, 0));
	cr_assert(eq(sz, a->event_count, 2));
	cr_assert(eq(u32, a->events[0].process, 1));
	cr_assert(eq(int, a->end.status, 256));
	cr_assert(a->end.closed);
	cr_assert(eq(u64, a->end.lost, 1));
	cr_assert(eq(sz, b->process_count, 1));
	cr_assert(eq(sz, b->event_count, 1));
	cr_assert(eq(u32, b->events[0].process, 0));
	cr_assert(eq(int, b->events[0].outcome, 13));
	cr_assert(not(b->end.closed));
	cr_assert(sb_trace_find_file(b, "/later") != NULL);
	sb_trace_parts_free(&parts);
	sb_merge_summary_free(&sum);
	sb_trace_free(t);
}

/* A parent in another command's tree is none. */
Test(merge, splits_what_is_tied_together)
{
	struct sb_trace *t = load("{\"sidebundle-trace\":1,\"cwd\":\"/\",\"argv\":[\"a\"],"
				  "\"commands\":[{\"cwd\":\"/\",\"argv\":[\"a\"]},"
				  "{\"cwd\":\"/\",\"argv\":[\"b\"]}]}\n"
				  "{\"process\":0,\"parent\":1,\"command\":1}\n"
				  "{\"process\":1,\"parent\":0}\n");
	struct sb_trace_parts parts = SB_TRACE_PARTS_INIT;
	struct sb_err err = SB_ERR_INIT;

	cr_assert(eq(int, sb_trace_split(t, &parts, &err), 0));
	for (size_t i = 0; i < 2; i++) {
		cr_assert(eq(sz, parts.items[i].process_count, 1));
		cr_assert(eq(i64, parts.items[i].processes[0].parent, -1));
	}
	sb_trace_parts_free(&parts);
	sb_trace_free(t);
}
