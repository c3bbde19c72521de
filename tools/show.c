#include "tools/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "tools/settings.h"
#include "tools/print.h"
#include "tracer/event.h"

/* Deeper nesting is drawn at this depth. */
#define DEPTH_MOST 64

/* As a shell would take it back. */
static void print_argument(const char *s)
{
	bool plain =
		*s && s[strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				  "_-+=:,./@%^")] == '\0';

	if (!plain)
		putchar('\'');
	sb_print_name(s);
	if (!plain)
		putchar('\'');
}

/* By process, then as the trace has them: in the order of their first time, or nearly so. */
static int by_process(const void *a, const void *b)
{
	const struct sb_event *const *x = a, *const *y = b;

	if ((*x)->process != (*y)->process)
		return (*x)->process < (*y)->process ? -1 : 1;
	return (*x > *y) - (*x < *y);
}

static void print_details(const struct sb_event *ev)
{
	if (ev->real && strcmp(ev->real, ev->path) != 0) {
		fputs(" -> ", stdout);
		sb_print_name(ev->real);
	}
	if (ev->kind == SB_WRITE) {
		printf(" [%s", sb_op_name(ev->op));
		if (ev->existed == SB_NO)
			fputs(", new", stdout);
		putchar(']');
	}
	if (ev->by) {
		fputs(" [for ", stdout);
		sb_print_name(ev->by);
		putchar(']');
	}
}

int sb_show_table(const struct sb_trace *t, unsigned kinds, bool failed, struct sb_err *err)
{
	auto_free const struct sb_event **events = calloc(t->event_count + 1, sizeof *events);
	bool colored = sb_settings_colored(STDOUT_FILENO);
	size_t n = 0;

	if (!events)
		return sb_fail(err, ENOMEM, "sort the events");
	for (size_t i = 0; i < t->event_count; i++) {
		const struct sb_event *ev = &t->events[i];

		if (kinds & 1u << ev->kind && (!failed || ev->outcome > 0))
			events[n++] = ev;
	}
	qsort(events, n, sizeof *events, by_process);
	printf("%8s  %-8s  %-7s  %7s  %s\n", "PID", "KIND", "OUTCOME", "COUNT", "PATH");
	for (size_t i = 0; i < n; i++) {
		const struct sb_event *ev = events[i];
		char outcome[16];

		sb_outcome_word(ev->outcome, outcome, sizeof outcome);
		printf("%8d  %-8s  %s%-7s%s  %7" PRIu64 "  ", (int)t->processes[ev->process].pid,
		       sb_kind_name(ev->kind), colored && ev->outcome > 0 ? "\033[31m" : "",
		       outcome, colored && ev->outcome > 0 ? "\033[0m" : "", ev->count);
		sb_print_name(ev->path);
		print_details(ev);
		putchar('\n');
	}
	return 0;
}

static void print_process(const struct sb_trace *t, uint32_t index, unsigned depth)
{
	const struct sb_trace_process *p = &t->processes[index];

	printf("%8d  %*s", (int)p->pid, (int)depth * 2, "");
	if (p->forked)
		fputs("(fork)", stdout);
	else if (p->argv && p->argv[0])
		for (size_t i = 0; p->argv[i]; i++) {
			if (i)
				putchar(' ');
			print_argument(p->argv[i]);
		}
	else
		sb_print_name(p->exe ? p->exe : "?");
	if (!p->forked && p->exe && (!p->argv || !p->argv[0] || strcmp(p->argv[0], p->exe) != 0)) {
		fputs("  [", stdout);
		sb_print_name(p->exe);
		putchar(']');
	}
	putchar('\n');
}

/* Children in lists: first[p], then next[child]; index + 1, 0 ends. */
struct family {
	uint32_t *first, *next;
};

/* A fork that did nothing but exec is told by what it became. */
static bool only_execs(const struct sb_trace *t, const struct family *f, uint32_t at)
{
	if (t->processes[at].forked)
		for (uint32_t child = f->first[at]; child; child = f->next[child - 1])
			if (t->processes[child - 1].pid == t->processes[at].pid)
				return true;
	return false;
}

/*
 * An image that another one replaced by exec stands at its place, one line below: the same process
 * goes on. Written with a stack of its own: a hostile trace nests as deep as it is long.
 */
static void print_branch(const struct sb_trace *t, const struct family *f, uint32_t root,
			 uint32_t *stack, uint32_t *depths, bool *printed)
{
	size_t top = 0;

	stack[top] = root;
	depths[top++] = 0;
	while (top) {
		uint32_t at = stack[--top], depth = depths[top];

		if (printed[at])
			continue;
		printed[at] = true;
		if (!only_execs(t, f, at))
			print_process(t, at, depth < DEPTH_MOST ? depth : DEPTH_MOST);
		/* The lists are built backwards, so the stack hands them out forwards. */
		for (uint32_t child = f->first[at]; child; child = f->next[child - 1]) {
			bool goes_on = t->processes[child - 1].pid == t->processes[at].pid;

			stack[top] = child - 1;
			depths[top++] = depth + (goes_on ? 0 : 1);
		}
	}
}

int sb_show_tree(const struct sb_trace *t, struct sb_err *err)
{
	size_t n = t->process_count;
	auto_free uint32_t *first = calloc(n + 1, sizeof *first);
	auto_free uint32_t *next = calloc(n + 1, sizeof *next);
	auto_free uint32_t *stack = calloc(n + 1, sizeof *stack);
	auto_free uint32_t *depths = calloc(n + 1, sizeof *depths);
	auto_free bool *printed = calloc(n + 1, sizeof *printed);
	struct family f = {first, next};

	if (!first || !next || !stack || !depths || !printed)
		return sb_fail(err, ENOMEM, "draw the tree");
	for (size_t i = 0; i < n; i++) {
		int64_t parent = t->processes[i].parent;

		if (parent < 0 || (size_t)parent == i)
			continue;
		next[i] = first[parent];
		first[parent] = (uint32_t)i + 1;
	}
	for (size_t i = 0; i < n; i++)
		if (t->processes[i].parent < 0)
			print_branch(t, &f, (uint32_t)i, stack, depths, printed);
	/* What a damaged trace ties into a ring still has its lines. */
	for (size_t i = 0; i < n; i++)
		if (!printed[i])
			print_branch(t, &f, (uint32_t)i, stack, depths, printed);
	return 0;
}
