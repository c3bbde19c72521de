/* What a traced process may write to the log that it should not: nothing but that is lost. */
#include "tests/unit/collect.h"

TestSuite(collect_hostile, .init = set_up, .fini = tear_down);

/* A record that was never finished is stepped over; what makes no sense is lost, and no more. */
Test(collect_hostile, torn_and_garbled)
{
	struct writer w = claim(0, getpid()), x = claim(0, getpid()), y = claim(99, getpid());

	hello(&w, "/");
	struct sb_rec *torn =
		put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 1}, TEXT("/torn"));
	torn->word = (torn->word & SB_REC_SIZE) | SB_REC_RESERVED;
	put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 1}, TEXT("/after"));
	put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 9}, TEXT("/too-few-strings"));
	put(&w, &(struct sb_rec){.kind = 77, .strings = 1}, TEXT("/no-such-kind"));
	put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 1}, "/12345678901234567890123", 24);
	put(&w, &(struct sb_rec){.kind = SB_REC_BLIND, .strings = 1, .value = 1000}, TEXT("/x"));
	put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 1, .outcome = -77}, TEXT("/odd"));
	hello(&x, "/");
	struct sb_rec *wild = put(&x, &(struct sb_rec){.kind = SB_OPEN, .strings = 1}, TEXT("/w"));
	wild->word = SB_REC_DONE | 0xfff8;
	hello(&y, "/"); /* of an image that was not there yet: taken for one of its own */
	put(&y, &(struct sb_rec){.kind = SB_OPEN, .strings = 1}, TEXT("/y"));
	sb_collector_poll(collector);
	struct sb_trace *t = finish();
	cr_assert(find(t, "/torn") == NULL);
	cr_assert(find(t, "/after") != NULL);
	cr_assert(find(t, "/y") != NULL);
	cr_assert(eq(int, find(t, "/odd")->outcome, SB_OUTCOME_UNKNOWN));
	cr_assert(eq(u64, t->end.lost, 5));
	sb_trace_free(t);
}

/*
 * One that grew after it was stepped over would reach into what lies behind its chunk; a root that
 * is no path, or a process that has no number, would make the trace one that nobody reads.
 */
Test(collect_hostile, changed_behind_our_back)
{
	struct writer w = claim(0, getpid()), x = claim(0, -7);

	hello(&w, "/");
	w.at = SB_CHUNK - 48;
	struct sb_rec *grows =
		put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 1}, "/grows", 7);
	grows->word = 48 | SB_REC_RESERVED;
	struct sb_rec *skip = (struct sb_rec *)((char *)w.chunk + sizeof *w.chunk + 48);
	skip->word = (SB_CHUNK - 48 - (uint32_t)sizeof *w.chunk - 48) | SB_REC_DONE;
	put(&x, &(struct sb_rec){.kind = SB_REC_HELLO, .strings = 1, .value = -9}, TEXT("/"));
	put(&x, &(struct sb_rec){.kind = SB_REC_WHERE, .strings = 2, .where = 1}, "/usr\0\20", 7);
	put(&x, &(struct sb_rec){.kind = SB_OPEN, .strings = 1, .where = 1}, TEXT("/etc/x"));
	sb_collector_poll(collector);
	grows->word = 4096 | SB_REC_DONE;
	sb_collector_poll(collector);
	struct sb_trace *t = finish();
	cr_expect(find(t, "/grows") == NULL);
	cr_expect(find(t, "/etc/x") != NULL);
	cr_expect(eq(u64, t->end.lost, 2));
	sb_trace_free(t);
}

/* Cut short under our eyes: what is missing is lost, and that is all. */
Test(collect_hostile, cut_short)
{
	static const off_t sizes[] = {SB_LOG_HEADER + SB_CHUNK / 2, 4096, 0};
	struct writer w = claim(0, getpid()), x = claim(0, getpid());

	hello(&w, "/");
	put(&w, &(struct sb_rec){.kind = SB_OPEN, .strings = 1}, TEXT("/before"));
	hello(&x, "/");
	sb_collector_poll(collector);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		cr_assert(eq(int, truncate(sb_log_path(the_log), sizes[i]), 0));
		sb_collector_poll(collector);
	}
	struct sb_trace *t = finish();
	cr_expect(find(t, "/before") != NULL);
	cr_expect(eq(u64, t->end.lost, 1));
	sb_trace_free(t);
}

/* Every other cause of that signal is no business of the log's: the process ends by it. */
Test(collect_hostile, another_files_end)
{
	int status, fd = open(trace_path, O_RDWR);

	cr_assert(eq(int, ftruncate(fd, 4096), 0));
	char *memory = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	cr_assert(memory != MAP_FAILED);
	cr_assert(eq(int, ftruncate(fd, 0), 0));
	pid_t pid = fork();
	if (pid == 0) {
		/* A sanitizer says a lot about it. */
		dup2(open("/dev/null", O_WRONLY), 2);
		_exit(*(volatile char *)memory);
	}
	cr_assert(eq(int, waitpid(pid, &status, 0), pid));
	cr_expect(ne(int, status, 0));
}

/* Random bytes everywhere: read to the end, whatever comes of it. */
Test(collect_hostile, noise)
{
	srand(1);
	for (int n = 0; n < 64; n++) {
		struct writer w = claim(0, n % 2 ? getpid() : rand());

		if (n % 3)
			hello(&w, "/");
		for (uint32_t at = w.at; at < SB_CHUNK; at++)
			((char *)w.chunk)[at] = (char)rand();
		if (n % 4 == 0)
			for (uint32_t at = w.at; at + 64 <= SB_CHUNK; at += 64) {
				struct sb_rec *rec = (struct sb_rec *)((char *)w.chunk + at);

				rec->word = SB_REC_DONE | 64;
				rec->kind %= 36;
			}
		if (n % 5 == 0)
			w.chunk->image = (uint64_t)rand() << 32;
	}
	sb_log_head(the_log)->next = UINT64_MAX;
	sb_log_head(the_log)->allocated = UINT64_MAX;
	sb_collector_poll(collector);
	sb_trace_free(finish());
}
