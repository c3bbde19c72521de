#include "tracer/collect.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/log.h"
#include "tracer/collect_private.h"
#include "tracer/proc.h"

/* How often zombies and reused pids are looked for: it takes a file of /proc for each process. */
#define THOROUGH_SECONDS 1.0
/* Four megabytes of log: what they tell is held until all of it is read. */
#define CHUNKS_A_PASS 64
#define TRIES_A_PASS  8

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

int sb_collector_new(struct sb_log_file *log, struct sb_sink *sink, const struct sb_first *first,
		     struct sb_collector **ret, struct sb_err *err)
{
	struct sb_collector *c = calloc(1, sizeof *c);
	struct sb_proc self;

	if (!c)
		return sb_fail(err, ENOMEM, "start the collector");
	c->log = log;
	c->sink = sink;
	c->first = first;
	c->root = (struct image_exec){
		.path = first->exe, .root = "", .unseen = first->unseen, .raw = first->raw};
	c->images.process_count = 1; /* 0 is the command */
	c->images.began = sb_proc_look(getpid(), &self) == 0 ? self.started : 0;
	int rc = sb_real_new(&c->real, err);
	if (rc < 0) {
		free(c);
		return rc;
	}
	*ret = c;
	return 0;
}

void sb_collector_share(struct sb_collector *c,
			uint32_t (*number)(void *arg, const struct sb_watch_image *image),
			void *arg)
{
	c->number = number;
	c->number_arg = arg;
}

bool sb_collector_expects(const struct sb_collector *c, uint32_t number)
{
	for (const struct image *image = c->images.living; image; image = image->next)
		if (image->numbered && image->process == number)
			return true;
	return false;
}

static void chunk_free(struct chunk *k)
{
	free(k->held);
	free(k->unfinished);
	sb_buf_free(&k->text);
	free(k);
}

void sb_collector_free(struct sb_collector *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->chunk_count; i++)
		chunk_free(c->chunks[i]);
	free(c->chunks);
	free(c->births);
	free(c->ready);
	sb_buf_free(&c->moved);
	images_free(&c->images);
	sb_real_free(c->real);
	free(c);
}

static bool add_chunk(struct sb_collector *c, uint64_t number)
{
	struct chunk *k = calloc(1, sizeof *k);

	if (c->chunk_count == c->chunk_cap) {
		size_t cap = c->chunk_cap ? c->chunk_cap * 2 : 64;
		void *grown = reallocarray(c->chunks, cap, sizeof *c->chunks);

		if (grown) {
			c->chunks = grown;
			c->chunk_cap = cap;
		}
	}
	if (!k || c->chunk_count == c->chunk_cap) {
		free(k);
		return false;
	}
	k->number = number;
	k->memory = sb_log_chunk(c->log, number);
	if (!k->memory) {
		free(k);
		return false;
	}
	k->cursor = sizeof(struct sb_chunk);
	c->chunks[c->chunk_count++] = k;
	return true;
}

/* Takes the record if it is complete, and if all that it refers to is known. */
static bool take(struct sb_collector *c, struct chunk *k, uint32_t offset, bool last)
{
	const struct sb_rec *rec = collect_at(k, offset);
	uint32_t word = __atomic_load_n(&rec->word, __ATOMIC_ACQUIRE);

	if (!(word & SB_REC_DONE))
		return false;
	/* The size may be another one than when the record was stepped over. */
	if ((word & SB_REC_SIZE) > SB_CHUNK - offset ||
	    !record_take(&c->record, rec, word & SB_REC_SIZE)) {
		sb_sink_lost(c->sink, 1);
		return true;
	}
	if (!last && !collect_ready(k, &c->record))
		return false;
	collect_record(c, k, offset);
	c->taken++;
	return true;
}

/*
 * In order of time, as far as it is known: what a name meant depends on what others did to it
 * before. `last`: what is incomplete now stays so.
 */
static void take_ready(struct sb_collector *c, bool last)
{
	collect_order(c);
	for (size_t i = 0; i < c->ready_count; i++) {
		const struct ready *r = &c->ready[i];

		if (!take(c, r->chunk, r->offset, last) && !last &&
		    !collect_come_back(r->chunk, r->offset))
			sb_sink_lost(c->sink, 1);
	}
	c->ready_count = 0;
}

/* Nobody writes there any more: counts and outcomes are final. */
static void finish_chunk(struct sb_collector *c, struct chunk *k)
{
	collect_find(c, k);
	take_ready(c, true);
	for (size_t i = 0; i < k->held_count; i++)
		collect_deliver(c, k, &k->held[i], collect_at(k, k->held[i].offset), true);
}

/* Those that are over, all of them before the first is gone: what one tells may be of another. */
static void finish_chunks(struct sb_collector *c)
{
	size_t left = 0;

	for (size_t i = 0; i < c->chunk_count; i++)
		if (c->chunks[i]->over)
			finish_chunk(c, c->chunks[i]);
	for (size_t i = 0; i < c->chunk_count; i++) {
		struct chunk *k = c->chunks[i];

		if (!k->over) {
			c->chunks[left++] = k;
			continue;
		}
		if (k->image)
			k->image->chunks--;
		sb_log_release(c->log, k->number);
		chunk_free(k);
	}
	c->chunk_count = left;
}

static void forget_process(void *arg, uint32_t process)
{
	struct sb_collector *c = arg;

	sb_sink_done(c->sink, process);
}

/* Up to `claimed`, as many as are read in one go. */
static void add_new_chunks(struct sb_collector *c, uint64_t claimed)
{
	uint64_t most = c->next + CHUNKS_A_PASS;

	for (; c->next < claimed && c->next < most; c->next++)
		if (!add_chunk(c, c->next)) {
			sb_log(SB_LOG_DEBUG, "a piece of the log cannot be read");
			sb_sink_lost(c->sink, 1);
		}
	if (!sb_log_ahead(c->log) && !c->starved) {
		c->starved = true;
		sb_log(SB_LOG_WARN,
		       "no more room for the log in %s: events may be lost (free some, "
		       "or set TMPDIR)",
		       sb_log_dir(c->log));
	}
}

/* The command is a process even where it never says hello: its exec is an event. */
static void tell_first(struct sb_collector *c)
{
	sb_sink_process(c->sink, &(struct sb_trace_process){
					 .parent = -1,
					 .pid = c->first->pid,
					 .ppid = getpid(),
					 .exe = c->first->exe,
					 .cwd = c->first->cwd,
					 .argv = (const char *const *)c->first->argv,
				 });
	c->first_told = true;
}

static void find_all(struct sb_collector *c)
{
	for (size_t i = 0; i < c->chunk_count; i++) {
		struct chunk *k = c->chunks[i];

		k->over = __atomic_load_n(&k->memory->retired, __ATOMIC_ACQUIRE) ||
			  (k->image && k->image->life == LIFE_GONE);
		collect_find(c, k);
	}
}

/*
 * Some of the new chunks, and what there is to read in those at hand. One whose records wait for
 * what another chunk tells is not finished before all are read. Who started meanwhile may have done
 * what others then told of: so again, until nobody did, or it is busy for ever.
 */
static void read_some(struct sb_collector *c, uint64_t claimed)
{
	uint64_t started = claimed;

	sb_real_renew(c->real);
	for (int tries = 0; tries == 0 || (started > claimed && tries < TRIES_A_PASS); tries++) {
		claimed = started;
		add_new_chunks(c, claimed);
		find_all(c);
		started = c->next < claimed ? claimed : sb_log_claimed(c->log);
	}
	take_ready(c, false);
	collect_births(c);
	c->awaited = false;
	for (size_t i = 0; i < c->chunk_count; i++) {
		struct chunk *k = c->chunks[i];

		if (k->unfinished_count && c->next < claimed)
			k->over = false;
		c->awaited |= !k->over && (!k->image || !k->image->greeted);
	}
	finish_chunks(c);
}

void sb_collector_catch_up(struct sb_collector *c)
{
	uint64_t claimed = sb_log_claimed(c->log);

	do
		read_some(c, claimed);
	while (c->next < claimed);
}

bool sb_collector_behind(const struct sb_collector *c)
{
	return c->awaited || sb_log_claimed(c->log) > c->next;
}

size_t sb_collector_poll(struct sb_collector *c)
{
	double t = now();

	c->taken = 0;
	if (c->root.unseen && !c->first_told && !c->number)
		tell_first(c);
	/*
	 * Who is gone is asked first, what chunks there are next, and they are read last: so all
	 * that the gone ones wrote is there, and the exec that made an image is read before its
	 * hello.
	 */
	images_look(&c->images, t - c->looked > THOROUGH_SECONDS);
	if (t - c->looked > THOROUGH_SECONDS)
		c->looked = t;
	sb_collector_catch_up(c);
	images_sweep(&c->images, forget_process, c);
	return c->taken;
}

size_t sb_collector_running(struct sb_collector *c, pid_t *pids, size_t cap)
{
	size_t n = 0;

	images_look(&c->images, true);
	for (struct image *image = c->images.living; image; image = image->next) {
		if (image->life != LIFE_RUNS)
			continue;
		if (n < cap)
			pids[n] = image->pid;
		n++;
	}
	return n;
}

/* Programs that were started, and should have said hello. */
static void report_silent(struct sb_collector *c)
{
	if (c->first->expected && !c->root.heard)
		sb_sink_blind(c->sink, SB_BLIND_SILENT, c->first->exe, 1);
	for (size_t i = 0; i < c->images.execs.count; i++) {
		const struct image_exec *exec = c->images.execs.entries[i].value;

		if (exec && exec->path && exec->expected && exec->worked && !exec->heard &&
		    !exec->blind)
			sb_sink_blind(c->sink, SB_BLIND_SILENT, exec->path, 1);
	}
}

static void report_lost(struct sb_collector *c)
{
	const struct sb_log_header *head = sb_log_head(c->log);
	uint64_t lost = __atomic_load_n(&head->lost, __ATOMIC_ACQUIRE);
	uint64_t sandboxed = __atomic_load_n(&head->lost_sandboxed, __ATOMIC_ACQUIRE);

	if (sandboxed > lost)
		sandboxed = lost;
	/* How many they were, nobody can tell. */
	if (sb_log_is_cut(c->log)) {
		sb_log(SB_LOG_WARN, "a program cut the log short: events are lost");
		lost++;
	}
	if (sandboxed)
		sb_sink_blind(c->sink, SB_BLIND_SANDBOX, NULL, sandboxed);
	if (lost > sandboxed)
		sb_sink_blind(c->sink, SB_BLIND_LOST, NULL, lost - sandboxed);
	sb_sink_lost(c->sink, lost);
}

/* By their programs as they were executed, where that is known. */
static void report_outlived(struct sb_collector *c, const pid_t *pids, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char name[32], exe[PATH_MAX] = "";
		const char *path = NULL;

		if (!sb_proc_runs(pids[i], 0))
			continue;
		for (struct image *image = c->images.living; image; image = image->next)
			if (image->pid == pids[i] && image->life == LIFE_RUNS && image->greeted)
				path = image->exe;
		(void)snprintf(name, sizeof name, "/proc/%d/exe", (int)pids[i]);
		ssize_t n = path ? 0 : readlink(name, exe, sizeof exe - 1);
		if (n > 0)
			path = exe;
		sb_sink_blind(c->sink, SB_BLIND_OUTLIVED, path, 1);
	}
}

/* Execs whose images ended before they could say so. */
static void tell_unheard(struct sb_collector *c)
{
	for (size_t i = 0; i < c->images.execs.count; i++) {
		const struct image_exec *exec = c->images.execs.entries[i].value;
		const struct image *image =
			exec && exec->path && exec->passed && exec->worked && !exec->heard
				? images_find(&c->images, exec->image)
				: NULL;

		if (image && image->numbered)
			sb_sink_event(c->sink, &(struct sb_event){.kind = SB_EXEC,
								  .existed = SB_TRI_UNKNOWN,
								  .process = image->process,
								  .count = 1,
								  .path = exec->path,
								  .real = exec->real});
	}
}

void sb_collector_finish(struct sb_collector *c, const pid_t *pids, size_t count)
{
	struct sb_log_header *head = sb_log_head(c->log);

	__atomic_store_n(&head->closed, 1, __ATOMIC_RELEASE);
	(void)sb_collector_poll(c);
	report_outlived(c, pids, count);
	for (size_t i = 0; i < c->chunk_count; i++)
		c->chunks[i]->over = true;
	finish_chunks(c);
	collect_births(c);
	if (c->number) {
		tell_unheard(c);
	} else {
		if (!c->root.heard && !c->first_told)
			tell_first(c);
		report_silent(c);
	}
	report_lost(c);
}
