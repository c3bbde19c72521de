/* Room in the log: claimed, mapped, filled, found again, and gone. */
#include <pthread.h>

#include "tests/unit/tracee.h"

TestSuite(chunk, .init = tracee_begin, .fini = tracee_end);

static struct sb_slot reserve(uint32_t size)
{
	struct sb_slot slot;

	cr_assert(sb_reserve(size, &slot));
	slot.rec->kind = SB_OPEN;
	slot.rec->strings = 1;
	slot.rec->count = 1;
	return slot;
}

static uint64_t put(const char *path)
{
	uint32_t size = (uint32_t)((sizeof(struct sb_rec) + strlen(path) + 8) & ~7ul);
	struct sb_slot slot = reserve(size);

	strcpy(slot.rec->text, path);
	sb_publish(&slot, size);
	return slot.ref;
}

/* Fills chunks until `count` of them have been claimed. */
static void fill(uint64_t count)
{
	while (sb_log_head(the_log)->next < count) {
		struct sb_slot slot = reserve(SB_CHUNK / 4);

		sb_publish(&slot, SB_CHUNK / 4);
		sb_log_ahead(the_log);
	}
}

Test(chunk, reserved_is_not_there_yet)
{
	struct sb_slot slot = reserve(48);

	strcpy(slot.rec->text, "/late");
	put("/after");
	cr_expect(tracee_find(SB_OPEN, 0, "/late", 0) == NULL);
	cr_expect(tracee_find(SB_OPEN, 0, "/after", 0) != NULL);
	sb_publish(&slot, 48);
	cr_expect(tracee_find(SB_OPEN, 0, "/late", 0) != NULL);
}

/* A place names the record in the log as whoever reads it counts. */
Test(chunk, places)
{
	struct sb_slot slot = reserve(48);
	struct sb_rec *there;

	sb_publish(&slot, 48);
	there = (struct sb_rec *)((char *)sb_log_chunk(the_log, slot.place / SB_CHUNK) +
				  slot.place % SB_CHUNK);
	cr_expect(eq(u32, there->word, 48 | SB_REC_DONE));
}

Test(chunk, found_again_until_its_window_is_gone)
{
	uint64_t ref = put("/x");
	struct sb_slot slot;

	cr_assert(sb_find(ref, &slot));
	cr_expect(eq(str, slot.rec->text, "/x"));
	sb_release(&slot);
	cr_expect(not(sb_find(0, &slot)));
	fill(SB_WINDOWS + 2);
	cr_expect(not(sb_find(ref, &slot)));
	/* The first chunk was given back, and says so. */
	cr_expect(eq(u32, sb_log_chunk(the_log, 0)->retired, 1));
}

/* Whoever is inside keeps its window, however many chunks come and go meanwhile. */
Test(chunk, held_as_long_as_somebody_is_inside)
{
	struct sb_slot slot = reserve(48);

	fill(3 * SB_WINDOWS);
	cr_expect(eq(u32, sb_log_chunk(the_log, 0)->retired, 0));
	strcpy(slot.rec->text, "/slow");
	sb_publish(&slot, 48);
	cr_expect(tracee_find(SB_OPEN, 0, "/slow", 0) != NULL);
	fill(4 * SB_WINDOWS);
	cr_expect(eq(u32, sb_log_chunk(the_log, 0)->retired, 1));
}

/* Every chunk says whose it is: of one process, and of its image's first chunk. */
Test(chunk, owners)
{
	fill(5);
	for (uint64_t i = 0; i < 5; i++) {
		const struct sb_chunk *chunk = sb_log_chunk(the_log, i);

		cr_expect(eq(u32, chunk->magic, SB_CHUNK_MAGIC));
		cr_expect(eq(int, chunk->pid, getpid()));
		cr_expect(eq(u64, chunk->image, 1));
	}
}

/* Later chunks come from earlier ones: neither a descriptor nor the log's name is needed. */
Test(chunk, the_next_without_a_descriptor_or_a_path)
{
	struct sb_recorder *st = sb_self();

	st->log_path = "/nowhere";
	fill(20);
	put("/found");
	cr_expect(tracee_find(SB_OPEN, 0, "/found", 0) != NULL);
	cr_expect(eq(u64, sb_log_head(the_log)->lost, 0));
}

/* No storage: waits for it a moment, once, then counts what is lost; and goes on when there is. */
Test(chunk, full)
{
	struct sb_log_header *head = sb_log_head(the_log);
	uint64_t allocated = head->allocated;
	struct sb_slot slot;

	head->allocated = head->next;
	while (sb_reserve(SB_CHUNK / 4, &slot))
		sb_publish(&slot, SB_CHUNK / 4);
	cr_expect(eq(u64, head->lost, 1));
	for (int i = 0; i < 10000; i++) /* some seconds each, if each waited */
		cr_assert(not(sb_reserve(SB_CHUNK / 4, &slot)));
	cr_expect(eq(u64, head->lost, 10001));
	cr_expect(eq(u64, head->lost_sandboxed, 0));
	put("/small"); /* where there is room for it yet */
	head->allocated = allocated;
	cr_expect(sb_reserve(SB_CHUNK / 4, &slot));
	cr_expect(tracee_find(SB_OPEN, 0, "/small", 0) != NULL);
}

static void *give_late(void *arg)
{
	usleep(1000000);
	sb_log_head(the_log)->allocated = *(const uint64_t *)arg;
	return NULL;
}

/* A collector that does not run for a while: nothing is lost for that. */
Test(chunk, storage_that_comes_late)
{
	struct sb_log_header *head = sb_log_head(the_log);
	uint64_t allocated = head->allocated;
	struct sb_slot slot;
	pthread_t late;

	head->allocated = head->next;
	cr_assert(eq(int, pthread_create(&late, NULL, give_late, &allocated), 0));
	for (int i = 0; i < 20; i++) {
		slot = reserve(SB_CHUNK / 4);
		sb_publish(&slot, SB_CHUNK / 4);
	}
	cr_assert(eq(int, pthread_join(late, NULL), 0));
	cr_expect(eq(u64, head->lost, 0));
}

Test(chunk, closed)
{
	struct sb_log_header *head = sb_log_head(the_log);
	struct sb_slot slot;

	head->closed = 1;
	put("/in-the-chunk-that-it-has");
	while (sb_reserve(SB_CHUNK / 4, &slot))
		sb_publish(&slot, SB_CHUNK / 4);
	cr_expect(eq(u64, head->next, 1));
}

/* Sandboxed: what was claimed ahead is used up without a system call, then it is lost. */
Test(chunk, sandboxed)
{
	struct sb_log_header *head = sb_log_head(the_log);
	struct sb_slot slot;

	sb_record_sandboxed();
	cr_expect(eq(u64, head->next, 1 + SB_SPARES));
	while (sb_reserve(SB_CHUNK / 4, &slot))
		sb_publish(&slot, SB_CHUNK / 4);
	cr_expect(eq(u64, head->next, 1 + SB_SPARES));
	cr_expect(eq(u64, head->lost, 1));
	cr_expect(eq(u64, head->lost_sandboxed, 1));
}

/* Two processes that share a chunk for a moment write behind one another. */
Test(chunk, shared_by_two_processes)
{
	put("/before");
	pid_t pid = (pid_t)syscall(SYS_fork);
	if (pid == 0) {
		for (int i = 0; i < 100; i++)
			put("/child");
		syscall(SYS_exit_group, 0);
	}
	for (int i = 0; i < 100; i++)
		put("/parent");
	cr_assert(eq(int, tracee_wait(pid), 0));
	cr_expect(eq(sz, tracee_count(SB_OPEN, "/child"), 100));
	cr_expect(eq(sz, tracee_count(SB_OPEN, "/parent"), 100));
}

#define THREADS 8
#define EACH	4000

static void *write_many(void *arg)
{
	char path[64];

	for (int i = 0; i < EACH; i++) {
		(void)snprintf(path, sizeof path, "/thread/%d/%d", (int)(intptr_t)arg, i);
		put(path);
	}
	return NULL;
}

Test(chunk, threads)
{
	pthread_t threads[THREADS];
	struct tracee_walk w = {0};
	const struct record *rec;
	static bool seen[THREADS][EACH];
	size_t count = 0;

	for (intptr_t i = 0; i < THREADS; i++)
		cr_assert(eq(int, pthread_create(&threads[i], NULL, write_many, (void *)i), 0));
	for (int i = 0; i < THREADS; i++)
		cr_assert(eq(int, pthread_join(threads[i], NULL), 0));
	while ((rec = tracee_next(&w))) {
		int thread, number;

		if (rec->head.kind != SB_OPEN)
			continue;
		cr_assert(eq(int, sscanf(rec->strings[0], "/thread/%d/%d", &thread, &number), 2));
		cr_assert(not(seen[thread][number]));
		seen[thread][number] = true;
		count++;
	}
	cr_expect(eq(sz, count, THREADS * EACH));
	cr_expect(eq(u64, sb_log_head(the_log)->lost, 0));
}
