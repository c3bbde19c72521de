/*
 * What the parts of the collector share: collect.c reads chunks, collect_order.c finds their
 * records in order, collect_record.c knows what these mean, collect_names.c what names meant,
 * collect_held.c what is told when.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "tracer/collect.h"
#include "tracer/image.h"
#include "tracer/realpath.h"
#include "tracer/record.h"
#include "tracer/watch.h"

/* An event whose count is not final yet. Strings are offsets into the chunk's text; 0 none. */
struct held {
	uint32_t offset; /* of the record in the chunk */
	uint8_t kind, op;
	int32_t outcome;
	uint32_t path, real, by;
	uint32_t told; /* how often, as was delivered already */
};

struct chunk {
	uint64_t number;
	const struct sb_chunk *memory;
	struct image *image; /* NULL until it is named */
	uint32_t cursor;
	uint32_t tick;	      /* of its last record, as far as they are in order */
	bool over;	      /* nobody will write there */
	uint32_t *unfinished; /* offsets of records to come back for */
	size_t unfinished_count, unfinished_cap;
	struct held *held;
	size_t held_count, held_cap;
	struct sb_buf text;
};

/* A record that is there to be taken. */
struct ready {
	uint32_t tick;
	uint32_t offset;
	size_t order; /* in which it was found */
	struct chunk *chunk;
};

/* A write that knew whether its file was there, to be put in order of time. */
struct birth {
	uint32_t tick;
	size_t order; /* in which it was read */
	enum sb_tri existed;
	const char *real; /* interned */
};

struct sb_collector {
	struct sb_log_file *log;
	struct sb_sink *sink;
	struct sb_real *real;
	const struct sb_first *first;
	/* Who shares the trace with us, and numbers the processes; NULL: we do. */
	uint32_t (*number)(void *arg, const struct sb_watch_image *image);
	void *number_arg;
	struct image_exec root; /* the exec of the command, which is in no record */
	bool starved, first_told;
	bool awaited; /* somebody has a chunk, and has not said hello */
	struct images images;
	struct chunk **chunks; /* by number, ascending */
	size_t chunk_count, chunk_cap;
	uint64_t next; /* chunk not looked at yet */
	double looked;
	size_t taken;
	struct ready *ready;
	size_t ready_count, ready_cap;
	uint32_t tick; /* of the record that was found last */
	struct birth *births;
	size_t birth_count, birth_cap;
	/* What an image has renamed: its next record says to what. */
	const struct image *mover;
	struct sb_buf moved;
	struct record record; /* the one in hand */
};

static inline const struct sb_rec *collect_at(const struct chunk *k, uint32_t offset)
{
	return (const struct sb_rec *)((const char *)k->memory + offset);
}

static inline const char *collect_text(const struct chunk *k, uint32_t offset)
{
	return offset ? k->text.s + offset : NULL;
}

/* Puts into c->ready what there is to take in the chunk, once that has an owner. */
void collect_find(struct sb_collector *c, struct chunk *k);
/* Those of all chunks, in order of time. */
void collect_order(struct sb_collector *c);
/* The record is not complete, or refers to what is still to come. False: no memory. */
bool collect_come_back(struct chunk *k, uint32_t offset);
/* The real path of `path` in `root`; NULL: it cannot be told. */
const char *collect_real(struct sb_collector *c, const struct chunk *k, const struct held *held,
			 const char *root, const char *path, bool nofollow);
/* What the new symlink of the record in hand holds, or NULL. */
const char *collect_target(const struct record *rec);
/* A write that changes what names mean. */
void collect_renamed(struct sb_collector *c, const struct chunk *k, const struct held *held,
		     const char *root, const char *path);
/* Whether what the record refers to has been heard of. */
bool collect_ready(const struct chunk *k, const struct record *rec);
/* Takes in c->record, which stands at `offset` of the chunk. */
void collect_record(struct sb_collector *c, struct chunk *k, uint32_t offset);
/* Keeps it until its chunk is done with. False: no memory, counted as lost. */
bool collect_hold(struct sb_collector *c, struct chunk *k, const struct held *held);
/* The event to the sink, as often as it was not told yet: it is final, or (not `last`) to go on. */
void collect_deliver(struct sb_collector *c, struct chunk *k, struct held *held,
		     const struct sb_rec *rec, bool last);
/* Tells the sink which files were there before, in order of time. */
void collect_births(struct sb_collector *c);
/* Whether the exec passed by who shares the trace. */
bool collect_passed(const struct image_exec *exec);
/* The number that the image has with who shares the trace; `told` adds to what is known of it. */
void collect_number(struct sb_collector *c, struct image *image, const struct image *parent,
		    struct sb_watch_image told);
