#include "tracer/trace_split.h"

#include <stdlib.h>

#include "common/cleanup.h"

static int no_memory(struct sb_err *err)
{
	return sb_fail(err, ENOMEM, "take the trace apart");
}

void sb_trace_parts_free(struct sb_trace_parts *parts)
{
	for (size_t i = 0; i < parts->count; i++) {
		free(parts->items[i].processes);
		free(parts->items[i].events);
	}
	free(parts->items);
	*parts = (struct sb_trace_parts)SB_TRACE_PARTS_INIT;
}

static uint32_t part_of(const struct sb_trace *t, uint32_t process)
{
	return process < t->process_count ? t->processes[process].command : 0;
}

/* Counts first, so that each part has what it needs and no more. */
static int make_room(const struct sb_trace *t, struct sb_trace_parts *parts)
{
	for (size_t i = 0; i < t->process_count; i++)
		parts->items[t->processes[i].command].process_count++;
	for (size_t i = 0; i < t->event_count; i++)
		parts->items[part_of(t, t->events[i].process)].event_count++;
	for (size_t i = 0; i < parts->count; i++) {
		struct sb_trace *part = &parts->items[i];

		part->processes = calloc(part->process_count + 1, sizeof *part->processes);
		part->events = calloc(part->event_count + 1, sizeof *part->events);
		if (!part->processes || !part->events)
			return -ENOMEM;
		part->process_count = part->event_count = 0;
	}
	return 0;
}

static void fill(const struct sb_trace *t, struct sb_trace_parts *parts, uint32_t *number)
{
	for (size_t i = 0; i < t->process_count; i++) {
		struct sb_trace *part = &parts->items[t->processes[i].command];

		number[i] = (uint32_t)part->process_count;
		part->processes[part->process_count++] = t->processes[i];
	}
	for (size_t c = 0; c < parts->count; c++) {
		struct sb_trace *part = &parts->items[c];

		for (size_t i = 0; i < part->process_count; i++) {
			struct sb_trace_process *p = &part->processes[i];

			p->id = (uint32_t)i;
			p->command = 0;
			/* One of another command is nobody's parent. */
			if (p->parent >= 0)
				p->parent = part_of(t, (uint32_t)p->parent) == c
						    ? (int64_t)number[p->parent]
						    : -1;
		}
	}
	for (size_t i = 0; i < t->event_count; i++) {
		struct sb_trace *part = &parts->items[part_of(t, t->events[i].process)];
		struct sb_event *ev = &part->events[part->event_count++];

		*ev = t->events[i];
		if (ev->process < t->process_count)
			ev->process = number[ev->process];
	}
}

int sb_trace_split(const struct sb_trace *t, struct sb_trace_parts *ret, struct sb_err *err)
{
	auto_trace_parts parts = {calloc(t->command_count, sizeof *parts.items), t->command_count};
	auto_free uint32_t *number = calloc(t->process_count + 1, sizeof *number);

	if (!parts.items || !number) {
		parts.count = 0;
		return no_memory(err);
	}
	for (size_t i = 0; i < parts.count; i++) {
		parts.items[i] = (struct sb_trace){
			.header = t->commands[i].header,
			.commands = &t->commands[i],
			.command_count = 1,
			.files = t->files,
			.file_count = t->file_count,
			.end = {.closed = t->end.closed && t->commands[i].status >= 0,
				.status = t->commands[i].status > 0 ? t->commands[i].status : 0},
			.store = t->store,
		};
	}
	parts.items[0].end.lost = t->end.lost;
	parts.items[0].end.blind = t->end.blind;
	parts.items[0].end.blind_count = t->end.blind_count;
	if (make_room(t, &parts) < 0)
		return no_memory(err);
	fill(t, &parts, number);
	*ret = parts;
	parts = (struct sb_trace_parts)SB_TRACE_PARTS_INIT;
	return 0;
}
