/* Whose doing it was, and whether the other trace could see them. */
#include <stdlib.h>
#include <string.h>

#include "tracer/diff_private.h"

/* Farther up, nobody's blindness explains anything. */
#define ANCESTORS_MOST 64

#define KNOWN 1u /* a program ran; above it, 1 + its blind spot */

static int no_memory(struct sb_err *err)
{
	return sb_fail(err, ENOMEM, "compare the traces");
}

/* Real paths by the names under which programs were executed, of both: one may know what the other
 * does not. */
static int learn_names(const struct sb_trace *t, struct sb_map *real)
{
	for (size_t i = 0; i < t->event_count; i++) {
		const struct sb_event *ev = &t->events[i];
		struct sb_map_entry *e;
		int fresh;

		if (ev->kind != SB_EXEC || ev->outcome > 0 || !ev->real)
			continue;
		e = sb_map_adds(real, ev->path, &fresh);
		if (!e)
			return -ENOMEM;
		if (fresh)
			e->value = (void *)(uintptr_t)ev->real;
	}
	return 0;
}

static const char *real_of(const struct sb_map *real, const char *name)
{
	const struct sb_map_entry *e = name ? sb_map_finds(real, name) : NULL;

	return e && e->value ? e->value : name;
}

/* Some of its events may be missing, others are there. */
static bool partly(enum sb_blind blind)
{
	switch (blind) {
	case SB_BLIND_STATIC:
	case SB_BLIND_SETID:
	case SB_BLIND_FOREIGN:
	case SB_BLIND_SANITIZER:
	case SB_BLIND_UNREACHABLE:
	case SB_BLIND_SILENT:
	case SB_BLIND_RAW:
		return false;
	default:
		return true;
	}
}

/* Which programs ran in a trace, and which of them it could not see into. */
static int learn_programs(const struct sb_trace *t, const struct sb_map *real,
			  struct sb_map *programs)
{
	for (size_t i = 0; i < t->process_count; i++) {
		const char *exe = real_of(real, t->processes[i].exe);

		if (exe && !sb_map_adds(programs, exe, NULL))
			return -ENOMEM;
	}
	for (size_t i = 0; i < t->event_count; i++) {
		const struct sb_event *ev = &t->events[i];

		if (ev->kind == SB_EXEC && ev->outcome <= 0 &&
		    !sb_map_adds(programs, ev->real ? ev->real : ev->path, NULL))
			return -ENOMEM;
	}
	for (size_t i = 0; i < t->end.blind_count; i++) {
		const struct sb_trace_blind *b = &t->end.blind[i];
		const char *exe = real_of(real, b->path);
		struct sb_map_entry *e = exe ? sb_map_adds(programs, exe, NULL) : NULL;

		if (exe && !e)
			return -ENOMEM;
		/* Of several, the one that hides most. */
		if (e && (!e->value || partly((enum sb_blind)((uintptr_t)e->value >> 1))))
			e->value = (void *)((uintptr_t)b->blind << 1 | KNOWN);
	}
	return 0;
}

static struct diff_view view_of(const struct sb_map *programs, const char *exe)
{
	const struct sb_map_entry *e = exe ? sb_map_finds(programs, exe) : NULL;
	struct diff_view view = {.rank = e ? DIFF_WATCHED : DIFF_NOT_RUN, .program = exe};

	if (e && e->value) {
		view.blind = (enum sb_blind)((uintptr_t)e->value >> 1);
		view.rank = partly(view.blind) ? DIFF_PARTLY : DIFF_BLIND;
	}
	return view;
}

/* What a program that was not seen into has started may have gone unseen with it. */
static struct diff_view look_up(const struct sb_trace *t, size_t process, const struct sb_map *real,
				const struct sb_map *programs)
{
	const struct sb_trace_process *p = &t->processes[process];
	struct diff_view view = view_of(programs, real_of(real, p->exe));

	for (int i = 0; view.rank == DIFF_NOT_RUN && p->parent >= 0 && i < ANCESTORS_MOST; i++) {
		p = &t->processes[p->parent];
		struct diff_view above = view_of(programs, real_of(real, p->exe));

		if (above.rank == DIFF_BLIND) {
			view.rank = above.rank;
			view.blind = above.blind;
		}
	}
	/* Nobody knows what it is: so nothing is explained by it. */
	if (!view.program)
		view.rank = DIFF_WATCHED;
	return view;
}

int diff_look(const struct sb_trace *t, const struct sb_trace *other, struct sb_map *names,
	      struct diff_view **ret, struct sb_err *err)
{
	auto_map real = SB_MAP_INIT, programs = SB_MAP_INIT;
	struct diff_view *views = calloc(t->process_count + 1, sizeof *views);
	bool enough = views && learn_names(t, &real) == 0 && learn_names(other, &real) == 0 &&
		      learn_programs(other, &real, &programs) == 0;

	for (size_t i = 0; enough && i < t->process_count; i++) {
		views[i] = look_up(t, i, &real, &programs);
		if (views[i].program) {
			views[i].program = sb_map_intern(names, views[i].program);
			enough = views[i].program != NULL;
		}
	}
	if (!enough) {
		free(views);
		return no_memory(err);
	}
	*ret = views;
	return 0;
}
