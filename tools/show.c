#include "tools/show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tools/settings.h"
#include "tools/print.h"
#include "tracer/event.h"

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
		fputs(ev->kind == SB_WRITE ? " [holds " : " [for ", stdout);
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
