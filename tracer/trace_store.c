#include "tracer/trace_store.h"

#include <errno.h>
#include <stdlib.h>

#include "common/map.h"

/* An allocation that lasts as long as the trace. */
struct block {
	struct block *next;
	max_align_t bytes[];
};

struct sb_trace_store {
	struct sb_map strings;	  /* interned */
	struct sb_map ids;	  /* process id -> index + 1 */
	struct sb_map merged;	  /* struct event_key -> index + 1 */
	struct sb_map file_index; /* real path -> index + 1 */
	struct block *blocks;
	bool *described; /* by process index: its line was there */
	size_t described_cap, process_cap, event_cap, file_cap;
};

/* Events that agree in all of this are one. Paths are interned: equal strings, equal pointers. */
struct event_key {
	const char *path, *real, *by, *backend;
	uint32_t process;
	int32_t outcome;
	uint16_t kind, op;
	uint32_t pad;
};

struct sb_trace *sb_store_new(void)
{
	struct sb_trace *t = calloc(1, sizeof *t);

	if (t)
		t->store = calloc(1, sizeof *t->store);
	if (t && t->store)
		return t;
	free(t);
	return NULL;
}

void *sb_store_keep(struct sb_trace *t, size_t size)
{
	struct block *b = calloc(1, sizeof *b + size);

	if (!b)
		return NULL;
	b->next = t->store->blocks;
	t->store->blocks = b;
	return b->bytes;
}

const char *sb_store_intern(struct sb_trace *t, const char *s)
{
	return sb_map_intern(&t->store->strings, s);
}

/* Room for one more than `count`. */
static int grow(void *array, size_t *cap, size_t count, size_t size)
{
	void **a = array;

	if (count < *cap)
		return 0;
	size_t wanted = *cap ? *cap * 2 : 64;
	void *grown = reallocarray(*a, wanted, size);
	if (!grown)
		return -ENOMEM;
	*a = grown;
	*cap = wanted;
	return 0;
}

int sb_store_process(struct sb_trace *t, uint32_t id, uint32_t *ret_index)
{
	struct sb_trace_store *st = t->store;
	int fresh;
	struct sb_map_entry *e = sb_map_add(&st->ids, (const char *)&id, sizeof id, &fresh);

	if (!e)
		return -ENOMEM;
	if (fresh) {
		size_t n = t->process_count;

		if (grow(&st->described, &st->described_cap, n, sizeof *st->described) < 0 ||
		    grow(&t->processes, &st->process_cap, n, sizeof *t->processes) < 0)
			return -ENOMEM;
		st->described[n] = false;
		t->processes[n] = (struct sb_trace_process){.id = (uint32_t)n, .parent = -1};
		e->value = (void *)(uintptr_t)++t->process_count;
	}
	*ret_index = (uint32_t)((uintptr_t)e->value - 1);
	return 0;
}

int sb_store_describe(struct sb_trace *t, const struct sb_trace_process *p)
{
	if (t->store->described[p->id])
		return -EEXIST;
	t->processes[p->id] = *p;
	t->store->described[p->id] = true;
	return 0;
}

int sb_store_event(struct sb_trace *t, const struct sb_event *ev)
{
	const struct event_key key = {ev->path,		  ev->real,	    ev->by,
				      ev->backend,	  ev->process,	    ev->outcome,
				      (uint16_t)ev->kind, (uint16_t)ev->op, 0};
	int fresh;
	struct sb_map_entry *e =
		sb_map_add(&t->store->merged, (const char *)&key, sizeof key, &fresh);

	if (!e)
		return -ENOMEM;
	if (!fresh) {
		struct sb_event *old = &t->events[(uintptr_t)e->value - 1];

		old->count += ev->count;
		if (old->existed == SB_TRI_UNKNOWN)
			old->existed = ev->existed;
		return 0;
	}
	if (grow(&t->events, &t->store->event_cap, t->event_count, sizeof *t->events) < 0)
		return -ENOMEM;
	t->events[t->event_count] = *ev;
	e->value = (void *)(uintptr_t)++t->event_count;
	return 0;
}

int sb_store_file(struct sb_trace *t, const struct sb_trace_file *f)
{
	int fresh;
	struct sb_map_entry *e = sb_map_adds(&t->store->file_index, f->path, &fresh);
	size_t first = e ? (uintptr_t)e->value : 0;

	if (!e || grow(&t->files, &t->store->file_cap, t->file_count, sizeof *t->files) < 0)
		return -ENOMEM;
	/* Of one machine, the last one counts: it is the younger look. */
	if (!fresh && !t->header.command_count) {
		t->files[first - 1] = *f;
		return 0;
	}
	t->files[t->file_count] = *f;
	t->files[t->file_count].other = first;
	e->value = (void *)(uintptr_t)++t->file_count;
	return 0;
}

const char *sb_trace_command(const struct sb_trace *t)
{
	for (size_t i = 0; i < t->process_count; i++)
		if (t->processes[i].parent < 0 && t->processes[i].exe)
			return t->processes[i].exe;
	return NULL;
}

const struct sb_trace_file *sb_trace_find_file(const struct sb_trace *t, const char *real)
{
	/* One that was put together by hand has no index, and no files. */
	const struct sb_map_entry *e = t->store ? sb_map_finds(&t->store->file_index, real) : NULL;

	return e ? &t->files[(uintptr_t)e->value - 1] : NULL;
}

const struct sb_trace_file *sb_trace_other_file(const struct sb_trace *t,
						const struct sb_trace_file *file)
{
	return file->other ? &t->files[file->other - 1] : NULL;
}

void sb_trace_free(struct sb_trace *t)
{
	if (!t)
		return;
	while (t->store->blocks) {
		struct block *next = t->store->blocks->next;

		free(t->store->blocks);
		t->store->blocks = next;
	}
	sb_map_free(&t->store->strings);
	sb_map_free(&t->store->ids);
	sb_map_free(&t->store->merged);
	sb_map_free(&t->store->file_index);
	free(t->store->described);
	free(t->store);
	free(t->processes);
	free(t->events);
	free(t->files);
	free(t);
}
