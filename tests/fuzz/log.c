/*
 * A traced process that writes what it likes to the log, while it is read: the input is taken for
 * chunks as they lie there, and is written in two parts, with a look of the collector in between.
 */
#include "tests/fuzz/engine.h"

#include "tracer/collect.h"
#include "tracer/logfile.h"
#include "tracer/sink.h"
#include "tracer/trace.h"

struct run {
	struct sb_log_file *log;
	struct sb_sink *sink;
	struct sb_collector *collector;
	int trace;
};

static const struct sb_first first = {.exe = "/bin/first", .expected = true};

static uint32_t give_number(void *arg, const struct sb_watch_image *image)
{
	uint32_t *numbers = arg;

	(void)image;
	return (*numbers)++;
}

static void start(struct run *run, uint32_t *numbers, bool shared)
{
	static const char *const argv[] = {"first", NULL};
	static const struct sb_trace_header header = {
		.backend = "audit", .version = "0", .cwd = "/", .argv = argv};
	struct sb_sink_spec spec = {.backend = "audit"};
	struct sb_err err = SB_ERR_INIT;
	char path[32];

	run->trace = fuzz_file("", 0);
	snprintf(path, sizeof path, "/proc/self/fd/%d", run->trace);
	if (sb_trace_create(path, &header, &spec.writer, &err) < 0 ||
	    sb_sink_new(&spec, &run->sink, &err) < 0 ||
	    sb_log_make("/modules", &run->log, &err) < 0 ||
	    sb_collector_new(run->log, run->sink, &first, &run->collector, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		abort();
	}
	if (shared)
		sb_collector_share(run->collector, give_number, numbers);
}

static void finish(struct run *run)
{
	struct sb_sink_summary sum;
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace *trace;
	pid_t self = getpid();
	char path[32];

	sb_collector_finish(run->collector, &self, 1);
	if (sb_sink_finish(run->sink, 0, &sum, &err) < 0)
		abort();
	/* Whatever was in the log: what was made of it is a trace. */
	snprintf(path, sizeof path, "/proc/self/fd/%d", run->trace);
	if (sb_trace_load(path, &trace, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		abort();
	}
	sb_trace_free(trace);
	sb_collector_free(run->collector);
	sb_log_free(run->log);
	sb_sink_free(run->sink);
	close(run->trace);
}

/* At the file's place, never past what has storage. */
static void put(struct run *run, const uint8_t *data, size_t from, size_t to)
{
	auto_fd int fd = open(sb_log_path(run->log), O_RDWR | O_CLOEXEC);

	if (fd < 0 || pwrite(fd, data + from, to - from, (off_t)(SB_LOG_HEADER + from)) < 0)
		abort();
	if (to)
		__atomic_store_n(&sb_log_head(run->log)->next, (to + SB_CHUNK - 1) / SB_CHUNK,
				 __ATOMIC_RELEASE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t half = size > 8 ? size / 8 * (data[8] % 8u) : 0;
	uint32_t numbers = 1;
	struct run run;

	if (size > 8 * SB_CHUNK)
		size = 8 * SB_CHUNK;
	if (half > size)
		half = size;
	start(&run, &numbers, size % 2);
	put(&run, data, 0, half);
	sb_collector_poll(run.collector);
	put(&run, data, half, size);
	sb_collector_poll(run.collector);
	finish(&run);
	return 0;
}

#ifndef SB_ENGINE
/* Records one after the other, in a chunk of their own. */
struct chunk {
	struct sb_chunk head;
	uint8_t records[SB_CHUNK - sizeof(struct sb_chunk)];
};

static uint32_t add(struct chunk *k, uint32_t at, const struct sb_rec *head, const char *text,
		    size_t len)
{
	struct sb_rec *rec = (struct sb_rec *)(k->records + at);
	uint32_t size = (uint32_t)((sizeof *head + len + 7) & ~7ul);

	memcpy(rec, head, sizeof *head);
	memcpy(rec->text, text, len);
	rec->word = size | SB_REC_DONE;
	return at + size;
}
#define TEXT(s) s, sizeof s

static void fill(struct chunk *k, uint64_t number, uint64_t parent)
{
	uint32_t at = 0;

	memset(k, 0, sizeof *k);
	k->head = (struct sb_chunk){.magic = SB_CHUNK_MAGIC,
				    .pid = number % 2 ? getpid() : 0x7ffffff,
				    .image = number + 1,
				    .retired = number == 2};
	at = add(k, at,
		 &(struct sb_rec){.kind = SB_REC_HELLO, .strings = 255, .arg = parent, .count = 1},
		 TEXT("/tmp\0child\0arg"));
	at = add(k, at, &(struct sb_rec){.kind = SB_REC_WHERE, .strings = 2, .where = 1},
		 TEXT("/usr\0"));
	for (unsigned n = 0; n < 20; n++) {
		at = add(k, at, &(struct sb_rec){.kind = SB_OPEN, .strings = 1, .count = n},
			 TEXT("/etc/../etc/passwd"));
		at = add(k, at,
			 &(struct sb_rec){.kind = SB_STAT, .flags = SB_REC_DIR, .strings = 2},
			 TEXT("dir\0/etc"));
		at = add(k, at, &(struct sb_rec){.kind = SB_LOAD, .strings = 2, .where = 1},
			 TEXT("lib/l.so\0/by"));
		at = add(k, at,
			 &(struct sb_rec){.kind = SB_WRITE,
					  .op = SB_OP_RENAME,
					  .flags = SB_REC_NEW,
					  .strings = 1,
					  .tick = n},
			 TEXT("/nowhere/new"));
		at = add(k, at, &(struct sb_rec){.kind = SB_REC_BLIND, .strings = 1, .value = 2},
			 TEXT("/sbin/x"));
		at = add(k, at,
			 &(struct sb_rec){.kind = SB_EXEC,
					  .flags = n % 2 ? SB_REC_PASSED : 0,
					  .strings = 255,
					  .outcome = SB_OUTCOME_PENDING,
					  .where = n % 3},
			 TEXT("/bin/x\0x\0y"));
	}
}

static size_t fuzz_corpus(struct input *corpus)
{
	static struct chunk chunks[4];

	for (uint64_t i = 0; i < 4; i++)
		fill(&chunks[i], i, i ? SB_PLACE(i - 1, sizeof(struct sb_chunk) + 500) : 0);
	corpus[0] = fuzz_from_bytes(chunks, sizeof chunks, false);
	/* Of an odd size: who shares the trace gives numbers. */
	corpus[1] = fuzz_from_bytes(chunks, sizeof chunks - 1, false);
	corpus[2] = fuzz_from_bytes(chunks, 1500, false);
	return 3;
}
#endif
