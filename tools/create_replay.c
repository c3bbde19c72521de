#include "tools/create_replay.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/draft.h"
#include "common/cleanup.h"
#include "tools/create_request.h"

static const char mark[] = "::entry=";

static int no_memory(struct sb_err *err)
{
	return sb_fail(err, ENOMEM, "read the command line");
}

static bool same_command(const struct sb_trace_header *a, const struct sb_trace_header *b)
{
	size_t i = 0;

	if (strcmp(a->cwd, b->cwd) != 0)
		return false;
	while (a->argv[i] && b->argv[i] && strcmp(a->argv[i], b->argv[i]) == 0)
		i++;
	return !a->argv[i] && !b->argv[i];
}

static int add_run(struct sb_create_replay *replay, const struct sb_trace *run, struct sb_err *err)
{
	const struct sb_trace **grown =
		reallocarray(replay->runs, replay->run_count + 1, sizeof *grown);

	if (!grown)
		return no_memory(err);
	replay->runs = grown;
	grown[replay->run_count++] = run;
	return 0;
}

/* The replay that re-executes this command, made where there is none from this file yet;
 * NULL when out of memory. */
static struct sb_create_replay *replay_of(struct sb_create_replays *r, size_t first,
					  const struct sb_trace *run)
{
	for (size_t i = first; i < r->count; i++)
		if (same_command(&r->items[i].runs[0]->header, &run->header))
			return &r->items[i];
	struct sb_create_replay *grown = reallocarray(r->items, r->count + 1, sizeof *grown);
	if (!grown)
		return NULL;
	r->items = grown;
	grown[r->count] = (struct sb_create_replay){NULL, NULL, NULL, 0};
	return &grown[r->count++];
}

static int add_source(struct sb_create_replays *r, const char *arg, struct sb_err *err)
{
	struct sb_create_source *grown =
		reallocarray(r->sources, r->source_count + 1, sizeof *grown);
	const char *given = strstr(arg, mark);

	if (!grown)
		return no_memory(err);
	r->sources = grown;
	struct sb_create_source *source = &grown[r->source_count];
	*source = (struct sb_create_source){.parts = SB_TRACE_PARTS_INIT};
	source->file = given ? strndup(arg, (size_t)(given - arg)) : strdup(arg);
	if (!source->file)
		return no_memory(err);
	r->source_count++;
	int rc = sb_trace_load(source->file, &source->trace, err);
	return rc < 0 ? rc : sb_trace_split(source->trace, &source->parts, err);
}

/* `names` is what follows the first mark, NULL where none was given. */
static int name_all(struct sb_create_replays *r, size_t first, const char *names,
		    const struct sb_create_source *source, struct sb_err *err)
{
	size_t given = 0;

	for (const char *p = names; p; p = strstr(p, mark) ? strstr(p, mark) + strlen(mark) : NULL)
		given++;
	if (given && given != r->count - first)
		return sb_fail(err, SB_EUSAGE,
			       "--from-trace: '%s' has %zu command%s, and %zu name%s given (one "
			       "::entry=NAME for each, in their order: show --tree)",
			       source->file, r->count - first, r->count - first == 1 ? "" : "s",
			       given, given == 1 ? " was" : "s were");
	for (size_t i = first; i < r->count; i++) {
		struct sb_create_replay *p = &r->items[i];
		const char *end = names ? strstr(names, mark) : NULL;

		p->file = source->file;
		if (!names)
			p->name = strdup(sb_draft_replay_name(p->runs[0]));
		else
			p->name = end ? strndup(names, (size_t)(end - names)) : strdup(names);
		names = end ? end + strlen(mark) : NULL;
		if (!p->name)
			return no_memory(err);
		if (!sb_is_plain_name(p->name))
			return sb_fail(err, SB_EUSAGE,
				       "--from-trace: '%s' is no name for an entry (give one: "
				       "%s::entry=NAME)",
				       p->name, p->file);
	}
	return 0;
}

int sb_create_replays_read(struct sb_create_replays *r, const char *arg, struct sb_err *err)
{
	const char *given = strstr(arg, mark);
	size_t first = r->count;
	int rc = add_source(r, arg, err);

	if (rc < 0)
		return rc;
	const struct sb_create_source *source = &r->sources[r->source_count - 1];
	for (size_t i = 0; rc == 0 && i < source->parts.count; i++) {
		struct sb_create_replay *replay = replay_of(r, first, &source->parts.items[i]);

		rc = replay ? add_run(replay, &source->parts.items[i], err) : no_memory(err);
	}
	return rc < 0 ? rc : name_all(r, first, given ? given + strlen(mark) : NULL, source, err);
}

void sb_create_replays_free(struct sb_create_replays *r)
{
	for (size_t i = 0; i < r->count; i++) {
		free(r->items[i].runs);
		free(r->items[i].name);
	}
	for (size_t i = 0; i < r->source_count; i++) {
		sb_trace_parts_free(&r->sources[i].parts);
		sb_trace_free(r->sources[i].trace);
		free(r->sources[i].file);
	}
	free(r->items);
	free(r->sources);
}
