#include "tracer/diff.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "tracer/diff_private.h"

/* Programs that are named for one path. */
#define PROGRAMS_MOST 4

/* What one trace has on a kind and path. */
struct seen {
	bool ok, unknown, failed;
	uint64_t errnos; /* those below 63 as bits; the last bit is for all others */
	int first_errno;
	uint64_t count;
	struct diff_view best; /* how well the other one could have seen it */
	bool by_files;	       /* all of it was told by what happened to the file */
	const char *programs[PROGRAMS_MOST];
	size_t program_count;
};

struct pair {
	const char *path;
	enum sb_kind kind;
	struct seen side[2];
};

struct sb_diff_store {
	struct sb_map names; /* programs */
	struct sb_map keys;  /* kind, path -> index + 1 */
	struct pair *pairs;
	size_t count, cap;
};

struct work {
	const struct sb_trace *trace[2];
	struct diff_sight sight[2];
	struct sb_map missed[2]; /* skeletons of what only the one trace has */
	struct sb_diff *diff;
	struct sb_diff_store *store;
	struct sb_err *err;
};

static int no_memory(struct work *w)
{
	return sb_fail(w->err, ENOMEM, "compare the traces");
}

static enum sb_kind compared_as(enum sb_kind kind)
{
	return kind == SB_LOAD || kind == SB_SEARCH ? SB_OPEN : kind;
}

static struct pair *pair_of(struct sb_diff_store *s, enum sb_kind kind, const char *path)
{
	auto_buf key = SB_BUF_INIT;
	struct sb_map_entry *e = NULL;
	int fresh;

	if (sb_buf_putc(&key, (char)('A' + kind)) == 0 && sb_buf_puts(&key, path) == 0)
		e = sb_map_add(&s->keys, key.s, key.len, &fresh);
	if (!e)
		return NULL;
	if (!fresh)
		return &s->pairs[(uintptr_t)e->value - 1];
	if (s->count == s->cap) {
		size_t cap = s->cap ? s->cap * 2 : 256;
		struct pair *grown = reallocarray(s->pairs, cap, sizeof *grown);

		if (!grown)
			return NULL;
		s->pairs = grown;
		s->cap = cap;
	}
	s->pairs[s->count] = (struct pair){.path = e->key + 1, .kind = kind};
	e->value = (void *)(uintptr_t)++s->count;
	return &s->pairs[s->count - 1];
}

static void note_program(struct seen *seen, const char *program)
{
	for (size_t i = 0; i < seen->program_count; i++)
		if (seen->programs[i] == program) /* interned */
			return;
	if (program && seen->program_count < PROGRAMS_MOST)
		seen->programs[seen->program_count++] = program;
}

static void note(struct seen *seen, const struct sb_event *ev, const struct diff_view *view)
{
	bool first = !seen->count && !seen->ok && !seen->unknown && !seen->failed;
	int outcome = ev->outcome;

	/* The dynamic linker does not tell why it went on searching. */
	if (ev->kind == SB_SEARCH && outcome <= 0)
		outcome = ENOENT;
	if (outcome > 0) {
		seen->failed = true;
		seen->errnos |= 1ull << (outcome < 63 ? outcome : 63);
		seen->first_errno = seen->first_errno ? seen->first_errno : outcome;
	}
	seen->ok |= outcome == 0;
	seen->unknown |= outcome == SB_OUTCOME_UNKNOWN;
	seen->count += ev->count;
	if (first || view->rank > seen->best.rank)
		seen->best = *view;
	seen->by_files =
		(first || seen->by_files) && ev->backend && strcmp(ev->backend, "fanotify") == 0;
	note_program(seen, view->program);
}

static int gather(struct work *w, int side, unsigned kinds)
{
	const struct sb_trace *t = w->trace[side];
	const struct diff_view nobody = {.rank = DIFF_WATCHED};
	struct diff_view *views = NULL;
	int rc = diff_look(t, w->trace[!side], &w->store->names, &views, w->err);

	for (size_t i = 0; i < t->event_count && rc == 0; i++) {
		const struct sb_event *ev = &t->events[i];
		enum sb_kind kind = compared_as(ev->kind);

		if (!(kinds & 1u << kind))
			continue;
		struct pair *pair = pair_of(w->store, kind, ev->real ? ev->real : ev->path);
		if (pair)
			note(&pair->side[side], ev,
			     ev->process < t->process_count ? &views[ev->process] : &nobody);
		else
			rc = no_memory(w);
	}
	free(views);
	return rc;
}

static bool has(const struct seen *seen)
{
	return seen->ok || seen->unknown || seen->failed;
}

static bool agree(const struct seen *a, const struct seen *b)
{
	if (a->unknown || b->unknown || (a->ok && b->ok))
		return true;
	return !a->ok && !b->ok && a->errnos & b->errnos;
}

/* Names of temporary files pair up by what is left when the random part is taken out. */
static int gather_missed(struct work *w)
{
	auto_buf bones = SB_BUF_INIT;

	for (size_t i = 0; i < w->store->count; i++) {
		const struct pair *p = &w->store->pairs[i];
		bool a = has(&p->side[0]), b = has(&p->side[1]);

		if (a != b && (diff_skeleton(p->path, &bones) < 0 ||
			       !sb_map_adds(&w->missed[b], sb_buf_str(&bones), NULL)))
			return no_memory(w);
	}
	return 0;
}

/* 1, 0 or -ENOMEM. */
static int is_timing(struct work *w, const struct pair *p, int other)
{
	auto_buf bones = SB_BUF_INIT;

	if (diff_is_process(p->path))
		return 1;
	if (diff_skeleton(p->path, &bones) < 0)
		return no_memory(w);
	/* A plain name is none that changes: it would be there. */
	return strcmp(sb_buf_str(&bones), p->path) != 0 &&
	       sb_map_finds(&w->missed[other], sb_buf_str(&bones));
}

/* It was watched at the functions that it called, and libc calls none for what it does itself. */
static bool by_functions(const struct seen *seen)
{
	return seen->best.rank == DIFF_PARTLY && seen->best.blind == SB_BLIND_LIBC;
}

/* Only side `by` has it. 0, or -ENOMEM. */
static int explain(struct work *w, const struct pair *p, int by, struct sb_diff_item *item)
{
	const struct seen *seen = &p->side[by];
	const struct diff_sight *other = &w->sight[!by];
	const struct sb_trace_end *end = &w->trace[!by]->end;
	int timing = is_timing(w, p, !by);

	if (timing < 0)
		return timing;
	item->blind = seen->best.blind;
	if (!(other->kinds & 1u << p->kind) || (!seen->ok && !seen->unknown && !other->failures))
		item->why = SB_DIFF_UNWATCHED;
	else if (seen->best.rank == DIFF_BLIND)
		item->why = SB_DIFF_BLIND;
	else if (seen->best.rank == DIFF_NOT_RUN)
		item->why = SB_DIFF_NOT_RUN;
	else if (timing)
		item->why = SB_DIFF_TIMING;
	else if (seen->best.rank == DIFF_PARTLY && !by_functions(seen))
		item->why = SB_DIFF_BLIND;
	else if (seen->by_files && !other->files)
		item->why = SB_DIFF_IO_URING;
	else if (!end->closed || end->lost)
		item->why = SB_DIFF_INCOMPLETE;
	else if (other->symbols && (by_functions(seen) || diff_is_libc(p->path)))
		item->why = SB_DIFF_LIBC;
	else if (other->symbols && !w->sight[by].symbols)
		item->why = SB_DIFF_RAW;
	else
		item->why = SB_DIFF_NOT_DONE;
	return 0;
}

static struct sb_diff_side side_of(const struct seen *seen)
{
	return (struct sb_diff_side){
		.seen = has(seen),
		.outcome = seen->ok	   ? 0
			   : seen->unknown ? SB_OUTCOME_UNKNOWN
					   : seen->first_errno,
		.count = seen->count,
		.programs = seen->programs,
		.program_count = seen->program_count,
	};
}

static int by_path(const void *a, const void *b)
{
	const struct sb_diff_item *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	return order ? order : (x->kind > y->kind) - (x->kind < y->kind);
}

static int compare(struct work *w)
{
	struct sb_diff *d = w->diff;

	d->items = calloc(w->store->count + 1, sizeof *d->items);
	if (!d->items)
		return no_memory(w);
	for (size_t i = 0; i < w->store->count; i++) {
		const struct pair *p = &w->store->pairs[i];
		bool a = has(&p->side[0]), b = has(&p->side[1]);
		struct sb_diff_item *item = &d->items[d->count];

		if (a && b && agree(&p->side[0], &p->side[1])) {
			d->same++;
			continue;
		}
		*item = (struct sb_diff_item){.kind = p->kind, .path = p->path};
		if (a && b)
			item->why = SB_DIFF_OUTCOME;
		else if (explain(w, p, b, item) < 0)
			return -w->err->code;
		item->side[0] = side_of(&p->side[0]);
		item->side[1] = side_of(&p->side[1]);
		d->count++;
	}
	qsort(d->items, d->count, sizeof *d->items, by_path);
	return 0;
}

int sb_diff_traces(const struct sb_trace *a, const struct sb_trace *b, unsigned kinds,
		   struct sb_diff **ret, struct sb_err *err)
{
	struct work w = {.trace = {a, b}, .err = err};
	unsigned opens = 1u << SB_OPEN | 1u << SB_LOAD | 1u << SB_SEARCH;
	int rc = 0;

	w.diff = calloc(1, sizeof *w.diff);
	if (w.diff)
		w.diff->store = calloc(1, sizeof *w.diff->store);
	w.store = w.diff ? w.diff->store : NULL;
	if (!w.store)
		rc = no_memory(&w);
	for (int side = 0; side < 2 && rc == 0; side++) {
		w.sight[side] = diff_sight_of(w.trace[side]);
		rc = gather(&w, side, kinds & opens ? kinds | opens : kinds);
	}
	if (rc == 0)
		rc = gather_missed(&w);
	if (rc == 0)
		rc = compare(&w);
	sb_map_free(&w.missed[0]);
	sb_map_free(&w.missed[1]);
	if (rc < 0)
		sb_diff_free(w.diff);
	else
		*ret = w.diff;
	return rc;
}

void sb_diff_free(struct sb_diff *diff)
{
	if (!diff)
		return;
	if (diff->store) {
		sb_map_free(&diff->store->names);
		sb_map_free(&diff->store->keys);
		free(diff->store->pairs);
	}
	free(diff->store);
	free(diff->items);
	free(diff);
}
