#include "tracer/unseen.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/map.h"

/* Of one round: what the calls told, and what the files told that is in doubt. */
#define TOLD_MOST   (1u << 18)
#define DOUBTS_MOST (1u << 15)

/* Stands for every process, where it is a guess which one wrote. */
#define ANYBODY UINT32_MAX

/* In place of a kind: opened for writing, and no other of the writes. */
#define FOR_WRITING SB_KIND_COUNT

/* What runs under a process number now, by the calls. */
struct current {
	uint32_t births, execs;
};

/* An image as the files' side knows it. */
struct image {
	struct sb_fan_image which;
	int64_t parent; /* one of these; -1 none */
	int64_t number; /* in the trace; -1 not known yet */
	pid_t ppid;
	bool forked;
	const char *exe;
};

/* What only the files told so far, as a key: this, then path and real, each with its NUL. */
struct doubt {
	uint32_t image; /* of the files' side */
	uint8_t kind, op, guessed, pad;
	int32_t outcome;
};

struct sb_unseen {
	struct sb_sink *sink;
	const char *backend;
	struct sb_map currents; /* pid_t -> struct current * */
	struct sb_map numbers;	/* struct sb_fan_image -> its number in the trace, and one */
	uint32_t next;		/* number that nobody has */
	struct image *images;
	size_t image_count;
	/* Hashes of who did what to which file: of this round and the one before; writes stay. */
	struct sb_map told, told_before, written;
	struct sb_map doubts, doubts_before; /* struct doubt -> count */
};

int sb_unseen_new(struct sb_sink *sink, const char *backend, struct sb_unseen **ret,
		  struct sb_err *err)
{
	struct sb_unseen *u = calloc(1, sizeof *u);

	if (!u)
		return sb_fail(err, ENOMEM, "start the trace");
	u->sink = sink;
	u->backend = backend;
	*ret = u;
	return 0;
}

void sb_unseen_free(struct sb_unseen *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->currents.count; i++)
		free(u->currents.entries[i].value);
	sb_map_free(&u->currents);
	sb_map_free(&u->numbers);
	sb_map_free(&u->told);
	sb_map_free(&u->told_before);
	sb_map_free(&u->written);
	sb_map_free(&u->doubts);
	sb_map_free(&u->doubts_before);
	free(u->images);
	free(u);
}

/* --- by the calls ---------------------------------------------------------------------------- */

void sb_unseen_met(struct sb_unseen *u, enum sb_watch_step step, pid_t pid, uint32_t number)
{
	struct sb_map_entry *e = sb_map_add(&u->currents, (const char *)&pid, sizeof pid, NULL);

	if (e && !e->value)
		e->value = calloc(1, sizeof(struct current));
	struct current *now = e ? e->value : NULL;
	if (!now) {
		sb_sink_lost(u->sink, 1);
		return;
	}
	switch (step) {
	case SB_WATCH_BORN:
		now->births++;
		now->execs = 0;
		return;
	case SB_WATCH_BECAME:
		now->execs++;
		return;
	case SB_WATCH_NUMBER:
		break;
	}
	const struct sb_fan_image which = {pid, now->births, now->execs};
	e = sb_map_add(&u->numbers, (const char *)&which, sizeof which, NULL);
	if (e)
		e->value = (void *)((uintptr_t)number + 1);
	u->next = number >= u->next ? number + 1 : u->next;
}

/* Who did what to which file; 0: no memory. */
static uint64_t hash_of(uint32_t number, enum sb_kind kind, const char *file)
{
	auto_buf key = SB_BUF_INIT;
	uint8_t byte = (uint8_t)kind;

	if (sb_buf_add(&key, &number, sizeof number) < 0 || sb_buf_add(&key, &byte, 1) < 0 ||
	    sb_buf_puts(&key, file) < 0)
		return 0;
	return sb_hash(key.s, key.len);
}

static void remember(struct sb_unseen *u, struct sb_map *map, uint32_t number, enum sb_kind kind,
		     const char *file)
{
	uint64_t hash = hash_of(number, kind, file);

	if (!hash || !sb_map_add(map, (const char *)&hash, sizeof hash, NULL))
		sb_sink_lost(u->sink, 1);
}

void sb_unseen_told(struct sb_unseen *u, const struct sb_event *ev)
{
	const char *file = ev->real ? ev->real : ev->path;
	bool worked = ev->outcome == 0 || ev->outcome == SB_OUTCOME_UNKNOWN;

	/* A program that could not be started was opened all the same. */
	if (ev->kind == SB_EXEC || (ev->kind == SB_OPEN && worked)) {
		remember(u, &u->told, ev->process, ev->kind, file);
	} else if (ev->kind == SB_WRITE && worked) {
		remember(u, &u->written, ev->process, SB_WRITE, file);
		remember(u, &u->written, ANYBODY, SB_WRITE, file);
		if (ev->op == SB_OP_OPEN)
			remember(u, &u->written, ev->process, FOR_WRITING, file);
	}
}

/* --- by the files ---------------------------------------------------------------------------- */

void sb_unseen_process(struct sb_unseen *u, const struct sb_trace_process *p,
		       const struct sb_fan_image *which)
{
	if (p->id >= u->image_count) {
		size_t count = (size_t)p->id * 2 + 64;
		struct image *grown = reallocarray(u->images, count, sizeof *grown);

		if (!grown) {
			sb_sink_lost(u->sink, 1);
			return;
		}
		memset(grown + u->image_count, 0, (count - u->image_count) * sizeof *grown);
		u->images = grown;
		u->image_count = count;
	}
	u->images[p->id] = (struct image){.which = *which,
					  .parent = p->parent,
					  .number = -1,
					  .ppid = p->ppid,
					  .forked = p->forked,
					  .exe = p->exe};
}

/* Its number in the trace; -1: none yet. */
static int64_t number_of(struct sb_unseen *u, struct image *image)
{
	const struct sb_map_entry *e;

	if (image->number >= 0)
		return image->number;
	e = sb_map_find(&u->numbers, (const char *)&image->which, sizeof image->which);
	if (e)
		image->number = (int64_t)((uintptr_t)e->value - 1);
	return image->number;
}

/* The calls' side has said its last: it has none for this one. */
static int64_t give_number(struct sb_unseen *u, struct image *image)
{
	if (number_of(u, image) >= 0)
		return image->number;
	int64_t parent = image->parent >= 0 ? give_number(u, &u->images[image->parent]) : -1;
	image->number = u->next++;
	sb_sink_process(u->sink, &(struct sb_trace_process){
					 .id = (uint32_t)image->number,
					 .parent = parent,
					 .pid = image->which.pid,
					 .ppid = image->ppid,
					 .forked = image->forked,
					 .exe = image->exe,
				 });
	return image->number;
}

static bool has(const struct sb_map *map, uint32_t number, enum sb_kind kind, const char *file)
{
	uint64_t hash = hash_of(number, kind, file);

	return sb_map_find(map, (const char *)&hash, sizeof hash);
}

static bool told_of(const struct sb_unseen *u, uint32_t number, const struct doubt *doubt,
		    const char *file)
{
	enum sb_kind kind = (enum sb_kind)doubt->kind;

	if (!*file)
		return false;
	if (kind == SB_WRITE)
		return has(&u->written, doubt->guessed ? ANYBODY : number, SB_WRITE, file);
	/* Still open for writing, it looks like any other open. */
	return has(&u->told, number, kind, file) || has(&u->told_before, number, kind, file) ||
	       (kind == SB_OPEN && has(&u->written, number, FOR_WRITING, file));
}

static void doubt_it(struct sb_unseen *u, const char *key, size_t len, uint64_t count)
{
	struct sb_map_entry *e = sb_map_add(&u->doubts, key, len, NULL);

	if (e)
		e->value = (char *)e->value + count;
	else
		sb_sink_lost(u->sink, count);
}

void sb_unseen_file(struct sb_unseen *u, const struct sb_event *ev, bool guessed)
{
	const char *real = ev->real ? ev->real : "";
	const struct doubt doubt = {.image = ev->process,
				    .kind = (uint8_t)ev->kind,
				    .op = (uint8_t)ev->op,
				    .guessed = guessed,
				    .outcome = ev->outcome};
	auto_buf key = SB_BUF_INIT;

	if (ev->process >= u->image_count)
		return; /* told as lost */
	int64_t number = number_of(u, &u->images[ev->process]);
	if (number >= 0 && (told_of(u, (uint32_t)number, &doubt, real) ||
			    told_of(u, (uint32_t)number, &doubt, ev->path)))
		return;
	if (sb_buf_add(&key, &doubt, sizeof doubt) < 0 ||
	    sb_buf_add(&key, ev->path, strlen(ev->path) + 1) < 0 ||
	    sb_buf_add(&key, real, strlen(real) + 1) < 0)
		sb_sink_lost(u->sink, ev->count);
	else
		doubt_it(u, key.s, key.len, ev->count);
}

/* --- what nobody else told ------------------------------------------------------------------- */

static void decide(struct sb_unseen *u, const struct sb_map_entry *e, bool last)
{
	struct doubt doubt;

	memcpy(&doubt, e->key, sizeof doubt);
	const char *path = e->key + sizeof doubt, *real = path + strlen(path) + 1;
	struct image *image = &u->images[doubt.image];
	int64_t number = last ? give_number(u, image) : number_of(u, image);
	struct sb_event ev = {
		.kind = (enum sb_kind)doubt.kind,
		.op = (enum sb_op)doubt.op,
		.existed = SB_TRI_UNKNOWN,
		.outcome = doubt.outcome,
		.process = (uint32_t)number,
		.count = (uintptr_t)e->value,
		.path = path,
		.real = *real ? real : NULL,
		.backend = u->backend,
	};

	if (number < 0)
		doubt_it(u, e->key, e->len, ev.count);
	else if (!told_of(u, ev.process, &doubt, real) && !told_of(u, ev.process, &doubt, path))
		sb_sink_event(u->sink, &ev);
}

static void decide_all(struct sb_unseen *u, struct sb_map *doubts, bool last)
{
	for (size_t i = 0; i < doubts->count; i++)
		decide(u, &doubts->entries[i], last);
	sb_map_free(doubts);
}

bool sb_unseen_full(const struct sb_unseen *u)
{
	return u->told.count > TOLD_MOST || u->doubts.count > DOUBTS_MOST;
}

void sb_unseen_settle(struct sb_unseen *u)
{
	struct sb_map doubts = u->doubts;

	u->doubts = (struct sb_map)SB_MAP_INIT;
	decide_all(u, &u->doubts_before, false);
	u->doubts_before = doubts;
	sb_map_free(&u->told_before);
	u->told_before = u->told;
	u->told = (struct sb_map)SB_MAP_INIT;
}

void sb_unseen_finish(struct sb_unseen *u)
{
	decide_all(u, &u->doubts_before, true);
	decide_all(u, &u->doubts, true);
}
