/*
 * What is held until its count is final: from a record's chunk to the sink.
 */
#include <stdlib.h>

#include "tracer/collect_private.h"

bool collect_hold(struct sb_collector *c, struct chunk *k, const struct held *held)
{
	if (k->held_count == k->held_cap) {
		size_t cap = k->held_cap ? k->held_cap * 2 : 32;
		void *grown = reallocarray(k->held, cap, sizeof *k->held);

		if (!grown) {
			sb_sink_lost(c->sink, 1);
			return false;
		}
		k->held = grown;
		k->held_cap = cap;
	}
	k->held[k->held_count++] = *held;
	return true;
}

void collect_number(struct sb_collector *c, struct image *image, const struct image *parent,
		    struct sb_watch_image told)
{
	const struct image_where *w = image_where_near(image, UINT32_MAX);

	told.pid = image->life == LIFE_UNSURE ? 0 : image->pid;
	told.started = image->started;
	told.gone = !image->started;
	told.parent = -1;
	if (parent && parent->numbered) {
		told.parent = parent->process;
		told.by_child = parent->pid != image->pid;
		told.parent_exe = parent->exe;
	}
	told.executed = image->greeted && !told.forked;
	told.exe = image->exe;
	told.root = image->birth;
	told.cwd = w && w->cwd[0] == '/' ? w->cwd : NULL;
	image->process = c->number(c->number_arg, &told);
	image->numbered = true;
}

/* Whether the exec passed by who shares the trace. */
bool collect_passed(const struct image_exec *exec)
{
	return exec->passed ||
	       (exec->record &&
		__atomic_load_n(&exec->record->flags, __ATOMIC_ACQUIRE) & SB_REC_PASSED);
}

/*
 * What came of an exec, now that nothing more is heard of it. False: it is not ours to tell, as one
 * that passed is told of by the image that it made.
 */
static bool end_exec(struct sb_collector *c, struct image_exec *exec, int32_t *outcome)
{
	if (exec) {
		exec->worked = *outcome == 0 || *outcome == SB_OUTCOME_PENDING;
		exec->passed = collect_passed(exec);
		exec->record = NULL;
	}
	/* What worked never came back to say so. */
	if (*outcome == SB_OUTCOME_PENDING)
		*outcome = 0;
	return !c->number || (exec && exec->passed && !exec->worked);
}

/* The same while it is under way: only what is certain. */
static bool know_exec(const struct sb_collector *c, const struct image_exec *exec, int32_t *outcome)
{
	if (*outcome == SB_OUTCOME_PENDING && exec && exec->heard)
		*outcome = 0;
	return !c->number && *outcome != SB_OUTCOME_PENDING;
}

void collect_deliver(struct sb_collector *c, struct chunk *k, struct held *held,
		     const struct sb_rec *rec, bool last)
{
	uint32_t count = __atomic_load_n(&rec->count, __ATOMIC_ACQUIRE);
	bool ours = true;
	struct sb_event ev = {
		.kind = held->kind,
		.op = held->op,
		.existed = SB_TRI_UNKNOWN,
		.outcome = held->outcome,
		.path = collect_text(k, held->path),
		.real = collect_text(k, held->real),
		.by = collect_text(k, held->by),
	};

	if (ev.kind == SB_EXEC) {
		struct image_exec *exec =
			images_exec(&c->images, SB_PLACE(k->number, held->offset));

		ev.outcome = __atomic_load_n(&rec->outcome, __ATOMIC_ACQUIRE);
		ours = last ? end_exec(c, exec, &ev.outcome) : know_exec(c, exec, &ev.outcome);
	}
	count = count ? count : 1;
	if (!ours || !ev.path || count <= held->told)
		return;
	if (ev.outcome < SB_OUTCOME_UNKNOWN || ev.outcome > 4095)
		ev.outcome = SB_OUTCOME_UNKNOWN;
	if (c->number && !k->image->numbered)
		collect_number(c, k->image, NULL, (struct sb_watch_image){.ppid = 0});
	ev.process = k->image->process;
	ev.count = count - held->told;
	held->told = count;
	sb_sink_event(c->sink, &ev);
}

void sb_collector_tell(struct sb_collector *c)
{
	for (size_t i = 0; i < c->chunk_count; i++) {
		struct chunk *k = c->chunks[i];

		/* Who has not said hello has no number yet, or may come to have another. */
		if (!k->image || !k->image->greeted)
			continue;
		for (size_t j = 0; j < k->held_count; j++)
			if (!k->held[j].told)
				collect_deliver(c, k, &k->held[j], collect_at(k, k->held[j].offset),
						false);
	}
}
