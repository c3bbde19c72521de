#include "preload/chunk.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "preload/arch.h"

#define LIVE(serial)	 ((uint32_t)(serial) << 1 | 1u) /* even and not 0: never */
#define CHANGING	 2u
#define PACK(window, st) ((uint64_t)(window) << 32 | (st))
#define PATIENCE_MS	 5000
#define TICK_MS		 20
#define GRAIN		 65536 /* the largest page that there is */
#define SPIN		 4000

static bool failed(long raw)
{
	return (unsigned long)raw > -4096UL;
}

void sb_count_lost(struct sb_recorder *st)
{
	/* Then the guard is told of everything. */
	if (st->guarded && sb_load(&st->sandboxed))
		return;
	(void)sb_add(&st->log->lost, 1);
	if (sb_load(&st->sandboxed))
		(void)sb_add(&st->log->lost_sandboxed, 1);
	/* This one has passed the guard; no other shall. */
	sb_store(&st->bypass, 0);
}

static bool pin(struct sb_window *w, uint32_t state)
{
	(void)sb_add(&w->users, 1);
	if (__atomic_load_n(&w->state, __ATOMIC_SEQ_CST) == state)
		return true;
	(void)sb_sub(&w->users, 1);
	return false;
}

/* --- claiming --------------------------------------------------------------------------------- */

/* 0: a filter that the program was started with forbids to ask. */
static int64_t now_ms(void)
{
	struct timespec ts;

	return sb_raw(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&ts, 0, 0, 0, 0)
		       ? 0
		       : (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Once more, until the log has more than so many chunks. False: it is time to give up. */
static bool wait_once(struct sb_log_header *log, uint64_t allocated, int64_t *until, int *waits)
{
	const struct timespec tick = {.tv_nsec = TICK_MS * 1000000};
	int64_t now = now_ms();
	long rc;

	if (!(*waits)++)
		*until = now + PATIENCE_MS;
	else if (now ? now >= *until : *waits > PATIENCE_MS / TICK_MS)
		return false;
	/* Its low half, on both machines. */
	rc = sb_raw(SYS_futex, (long)&log->allocated, FUTEX_WAIT, (uint32_t)allocated, (long)&tick,
		    0, 0);
	return !rc || rc == -EAGAIN || rc == -EINTR || rc == -ETIMEDOUT;
}

/*
 * The collector hands out storage ahead of need. A burst can outrun it, and where more threads want
 * to run than there are processors it may not run for a while: better late than lost. When it stays
 * silent all the same, somebody has waited for all, and nobody waits again until it has moved.
 * False: no more is to be expected. True: there was more, or `full` (0: none) is not the current
 * chunk any more.
 */
static bool await_storage(struct sb_recorder *st, uint64_t full)
{
	struct sb_log_header *log = st->log;
	uint64_t allocated = sb_load(&log->allocated);
	int64_t until = 0;
	int waits = 0;

	if (sb_load(&log->closed))
		return false;
	while (sb_load(&log->next) >= allocated) {
		if (sb_load(&st->sandboxed) || sb_load(&log->closed) ||
		    sb_load(&log->starved) == allocated + 1)
			return false;
		if (!wait_once(log, allocated, &until, &waits)) {
			sb_store(&log->starved, allocated + 1);
			return false;
		}
		if ((full && sb_load(&st->current) != full) ||
		    sb_load(&log->allocated) != allocated)
			return true;
	}
	return true;
}

/* A chunk's number plus one, 0 where there is none to be had. */
static uint64_t claim(struct sb_recorder *st)
{
	uint64_t kept = sb_swap(&st->claimed, 0), next;

	if (kept)
		return kept;
	next = sb_load(&st->log->next);
	while (!sb_load(&st->log->closed) && next < sb_load(&st->log->allocated))
		if (sb_cas(&st->log->next, &next, next + 1))
			return next + 1;
	return 0;
}

/* A mapping begins at a page, and pages may be larger than chunks: what of one lies before it. */
static long before(uint64_t number)
{
	return (long)(SB_LOG_HEADER + number * SB_CHUNK) & (GRAIN - 1);
}

static long grain_of(uint64_t number)
{
	return (long)(SB_LOG_HEADER + number * SB_CHUNK) - before(number);
}

static void unmap_chunk(struct sb_chunk *chunk, uint64_t number)
{
	(void)sb_raw(SYS_munmap, (long)chunk - before(number), before(number) + SB_CHUNK, 0, 0, 0,
		     0);
}

static struct sb_chunk *map_by_fd(int fd, uint64_t number)
{
	long p = sb_raw(SYS_mmap, 0, before(number) + SB_CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, grain_of(number));

	return failed(p) ? NULL : (struct sb_chunk *)(p + before(number));
}

/*
 * A shared mapping remapped with an old size of 0 is mapped a second time, and may reach further:
 * so a later chunk comes from an earlier one without a descriptor or a path (both may be out of
 * reach by now: RLIMIT_NOFILE, chroot, a changed user). What lies between the two is unmapped
 * again.
 */
static struct sb_chunk *map_by_remap(struct sb_recorder *st, uint64_t number)
{
	uint64_t current = sb_load(&st->current);
	struct sb_window *w = &st->windows[current >> 32 & (SB_WINDOWS - 1)];
	struct sb_chunk *chunk = NULL;
	long p, gap;

	if (!current || !pin(w, (uint32_t)current))
		return NULL;
	gap = grain_of(number) - grain_of(w->number);
	if (gap >= 0) {
		p = sb_raw(SYS_mremap, (long)w->chunk - before(w->number), 0,
			   gap + before(number) + SB_CHUNK, MREMAP_MAYMOVE, 0, 0);
		if (!failed(p)) {
			if (gap)
				(void)sb_raw(SYS_munmap, p, gap, 0, 0, 0, 0);
			chunk = (struct sb_chunk *)(p + gap + before(number));
		}
	}
	(void)sb_sub(&w->users, 1);
	return chunk;
}

static struct sb_chunk *map_chunk(struct sb_recorder *st, int fd, uint64_t number)
{
	struct sb_chunk *chunk;
	long opened;

	if (fd >= 0)
		return map_by_fd(fd, number);
	chunk = map_by_remap(st, number);
	if (chunk)
		return chunk;
	opened = sb_raw(SYS_openat, AT_FDCWD, (long)st->log_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW,
			0, 0, 0);
	if (failed(opened))
		return NULL;
	chunk = map_by_fd((int)opened, number);
	(void)sb_raw(SYS_close, opened, 0, 0, 0, 0, 0);
	return chunk;
}

/* --- windows ---------------------------------------------------------------------------------- */

static void unmap(struct sb_recorder *st, struct sb_window *w)
{
	if (!w->chunk)
		return;
	/* A fork child's inherited window is still its parent's to retire. */
	if (w->image == st->image)
		sb_store(&w->chunk->retired, 1);
	unmap_chunk(w->chunk, w->number);
}

/* A window to fill: a free one, or the oldest that nobody is inside. Its state is CHANGING; -1
 * none. */
static int take_window(struct sb_recorder *st, uint32_t serial)
{
	uint64_t current = sb_load(&st->current);

	for (uint32_t i = 0; i < SB_WINDOWS; i++) {
		uint32_t index = (serial + i) % SB_WINDOWS;
		struct sb_window *w = &st->windows[index];
		uint32_t state = sb_load(&w->state);

		if (state == CHANGING || (state && PACK(index, state) == current))
			continue;
		if (!sb_cas(&w->state, &state, CHANGING))
			continue;
		if (!__atomic_load_n(&w->users, __ATOMIC_SEQ_CST)) {
			unmap(st, w);
			return (int)index;
		}
		sb_store(&w->state, state);
	}
	return -1;
}

/*
 * Claims and maps a chunk for this image (`fd`: the log, or -1: by remapping what is mapped, or by
 * path), in place of `full` (0: of none). Returns its window and state packed as
 * sb_recorder.current, 0 where there is none.
 */
static uint64_t new_chunk(struct sb_recorder *st, int fd, uint64_t full)
{
	uint64_t number = claim(st);
	struct sb_chunk *chunk;
	uint32_t serial;
	int index;

	while (!number) {
		if (!await_storage(st, full) || (full && sb_load(&st->current) != full))
			return 0;
		number = claim(st);
	}
	chunk = map_chunk(st, fd, number - 1);
	if (!chunk) {
		sb_store(&st->claimed, number);
		return 0;
	}
	serial = sb_add(&st->serial, 1);
	index = take_window(st, serial);
	if (index < 0) {
		unmap_chunk(chunk, number - 1);
		sb_store(&st->claimed, number);
		return 0;
	}
	st->windows[index].chunk = chunk;
	st->windows[index].number = number - 1;
	st->windows[index].image = st->image ? st->image : number;
	st->windows[index].used = sizeof(struct sb_chunk);
	chunk->pid = st->pid;
	chunk->image = st->windows[index].image;
	sb_store(&chunk->magic, SB_CHUNK_MAGIC);
	sb_store(&st->windows[index].state, LIVE(serial));
	return PACK(index, LIVE(serial));
}

bool sb_chunk_first(struct sb_recorder *st, int fd)
{
	uint64_t parent = st->image;
	uint64_t fresh;

	st->image = 0;
	fresh = new_chunk(st, fd, 0);
	if (!fresh) {
		st->image = parent;
		return false;
	}
	st->image = st->windows[fresh >> 32].image;
	sb_store(&st->current, fresh);
	return true;
}

static void keep_spare(struct sb_recorder *st, uint64_t fresh)
{
	for (unsigned i = 0; i < SB_SPARES; i++) {
		uint64_t none = 0;

		if (sb_cas(&st->spare[i], &none, fresh))
			return;
	}
}

static uint64_t take_spare(struct sb_recorder *st)
{
	for (unsigned i = 0; i < SB_SPARES; i++) {
		uint64_t spare = sb_load(&st->spare[i]) ? sb_swap(&st->spare[i], 0) : 0;

		if (spare)
			return spare;
	}
	return 0;
}

void sb_chunk_stock(struct sb_recorder *st)
{
	for (unsigned i = 0; i < SB_SPARES; i++) {
		uint64_t fresh = sb_load(&st->spare[i]) ? 0 : new_chunk(st, -1, 0);

		if (fresh)
			keep_spare(st, fresh);
	}
}

/*
 * `full` has no room: makes another the current one. One thread fetches, the others wait for a
 * moment; whoever waits too long (the fetcher may be what this signal handler interrupted) fetches
 * for itself.
 */
static bool next_chunk(struct sb_recorder *st, uint64_t full)
{
	uint32_t idle = 0;
	bool mine = sb_cas(&st->switching, &idle, 1);
	uint64_t fresh;

	for (int i = 0; !mine && i < SPIN; i++) {
		if (sb_load(&st->current) != full)
			return true;
		sb_arch_relax();
	}
	fresh = sb_load(&st->current) == full ? take_spare(st) : 0;
	if (!fresh && sb_load(&st->current) == full && !sb_load(&st->sandboxed))
		fresh = new_chunk(st, -1, full);
	if (fresh && !sb_cas(&st->current, &full, fresh))
		keep_spare(st, fresh);
	if (mine)
		sb_store(&st->switching, 0);
	return fresh || sb_load(&st->current) != full;
}

/* --- records ---------------------------------------------------------------------------------- */

/* Walks from the hint to the first free word: other processes (a fork child, for a moment) may
 * share the chunk. */
static struct sb_rec *carve(struct sb_window *w, uint32_t size)
{
	uint32_t at = sb_load(&w->used);

	while (at + size <= SB_CHUNK) {
		struct sb_rec *rec = (struct sb_rec *)((char *)w->chunk + at);
		uint32_t word = 0, there;

		if (sb_cas(&rec->word, &word, size | SB_REC_RESERVED)) {
			sb_store(&w->used, at + size);
			return rec;
		}
		there = word & SB_REC_SIZE;
		if (there < sizeof(struct sb_rec) || there % 8)
			return NULL;
		at += there;
	}
	return NULL;
}

bool sb_reserve(uint32_t size, struct sb_slot *ret_slot)
{
	struct sb_recorder *st = sb_self();

	for (;;) {
		uint64_t current = sb_load(&st->current);
		struct sb_window *w = &st->windows[current >> 32 & (SB_WINDOWS - 1)];
		struct sb_rec *rec = NULL;
		uint32_t offset;

		if (current && pin(w, (uint32_t)current)) {
			rec = carve(w, size);
			if (!rec)
				(void)sb_sub(&w->users, 1);
		}
		if (rec) {
			offset = (uint32_t)((char *)rec - (char *)w->chunk);
			ret_slot->rec = rec;
			ret_slot->window = w;
			ret_slot->ref = SB_REF((uint32_t)current >> 1, current >> 32, offset);
			ret_slot->place = SB_PLACE(w->number, offset);
			return true;
		}
		if (!next_chunk(st, current)) {
			sb_count_lost(st);
			return false;
		}
	}
}

void sb_publish(struct sb_slot *slot, uint32_t size)
{
	sb_store(&slot->rec->word, size | SB_REC_DONE);
	sb_release(slot);
}

bool sb_find(uint64_t ref, struct sb_slot *ret_slot)
{
	struct sb_recorder *st = sb_self();
	struct sb_window *w = &st->windows[ref >> 16 & (SB_WINDOWS - 1)];

	if (!ref || (ref & 0xffff) * 8 >= SB_CHUNK || !pin(w, LIVE((ref >> 24))))
		return false;
	ret_slot->window = w;
	ret_slot->rec = (struct sb_rec *)((char *)w->chunk + (ref & 0xffff) * 8);
	ret_slot->ref = ref;
	ret_slot->place = 0;
	return true;
}

bool sb_find_place(uint64_t place, struct sb_slot *ret_slot)
{
	struct sb_recorder *st = sb_self();
	uint64_t offset = place % SB_CHUNK;

	if (offset < sizeof(struct sb_chunk) || offset % 8 ||
	    offset > SB_CHUNK - sizeof(struct sb_rec))
		return false;
	for (unsigned i = 0; i < SB_WINDOWS; i++) {
		struct sb_window *w = &st->windows[i];
		uint32_t state = sb_load(&w->state);

		if (!state || state == CHANGING || !pin(w, state))
			continue;
		if (w->number == place / SB_CHUNK) {
			*ret_slot = (struct sb_slot){
				.rec = (struct sb_rec *)((char *)w->chunk + offset),
				.window = w,
				.place = place,
			};
			return true;
		}
		(void)sb_sub(&w->users, 1);
	}
	return false;
}

void sb_release(struct sb_slot *slot)
{
	(void)sb_sub(&slot->window->users, 1);
}
