/* A collector over a log of its own, and traced processes that a test plays by hand. */
#pragma once

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracer/collect.h"
#include "tracer/libctext.h"
#include "tracer/logfile.h"
#include "tracer/sink.h"
#include "tracer/trace.h"
#include "tracer/watch.h"

static struct sb_log_file *the_log;
static struct sb_sink *sink;
static struct sb_collector *collector;
static struct sb_first first = {.exe = "/bin/first", .expected = true};
static char trace_path[64], dir[64];

static inline void set_up(void)
{
	static const char *const argv[] = {"first", NULL};
	static const struct sb_trace_header header = {
		.backend = "audit", .version = "0", .cwd = "/", .argv = argv};
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace_writer *w;

	strcpy(trace_path, "/tmp/sb-collect-XXXXXX");
	close(mkstemp(trace_path));
	strcpy(dir, "/tmp/sb-collect-dir-XXXXXX");
	cr_assert(mkdtemp(dir) != NULL);
	cr_assert(eq(int, sb_trace_create(trace_path, &header, &w, &err), 0));
	struct sb_sink_spec spec = {.writer = w, .backend = "audit"};
	cr_assert(eq(int, sb_sink_new(&spec, &sink, &err), 0));
	cr_assert(eq(int, sb_log_make("/modules", &the_log, &err), 0), "%s", err.msg);
	cr_assert(eq(int, sb_collector_new(the_log, sink, &first, &collector, &err), 0));
}

static inline void tear_down(void)
{
	char command[128];

	sb_collector_free(collector);
	sb_log_free(the_log);
	sb_sink_free(sink);
	unlink(trace_path);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	cr_assert(eq(int, system(command), 0));
}

struct writer {
	struct sb_chunk *chunk;
	uint64_t number;
	uint32_t at;
};

static inline struct writer claim(uint64_t image, pid_t pid)
{
	int fd = open(sb_log_path(the_log), O_RDWR);
	uint64_t number = sb_log_head(the_log)->next++;
	struct sb_chunk *chunk = mmap(NULL, SB_CHUNK, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				      (off_t)(SB_LOG_HEADER + number * SB_CHUNK));

	cr_assert(chunk != MAP_FAILED);
	close(fd);
	chunk->pid = pid;
	chunk->image = image ? image : number + 1;
	__atomic_store_n(&chunk->magic, SB_CHUNK_MAGIC, __ATOMIC_RELEASE);
	return (struct writer){chunk, number, sizeof *chunk};
}

static inline struct sb_rec *put(struct writer *w, const struct sb_rec *head, const char *text,
				 size_t len)
{
	struct sb_rec *rec = (struct sb_rec *)((char *)w->chunk + w->at);
	uint32_t size = (uint32_t)((sizeof *head + len + 7) & ~7ul);

	cr_assert(le(u32, w->at + size, SB_CHUNK));
	memcpy(rec, head, sizeof *head);
	rec->count = rec->count ? rec->count : 1;
	memcpy(rec->text, text, len);
	w->at += size;
	__atomic_store_n(&rec->word, size | SB_REC_DONE, __ATOMIC_RELEASE);
	return rec;
}

#define TEXT(s) s, sizeof(s)

static inline void hello(struct writer *w, const char *cwd)
{
	put(w, &(struct sb_rec){.kind = SB_REC_HELLO, .strings = 1, .value = getppid()}, cwd,
	    strlen(cwd) + 1);
}

static inline struct sb_trace *finish(void)
{
	struct sb_sink_summary sum;
	struct sb_err err = SB_ERR_INIT;
	struct sb_trace *t;

	pid_t self = getpid();
	sb_collector_finish(collector, &self, 1);
	cr_assert(eq(int, sb_sink_finish(sink, 0, &sum, &err), 0), "%s", err.msg);
	cr_assert(eq(int, sb_trace_load(trace_path, &t, &err), 0), "%s", err.msg);
	cr_assert(t->end.closed);
	return t;
}

static inline const struct sb_event *find(const struct sb_trace *t, const char *path)
{
	for (size_t i = 0; i < t->event_count; i++)
		if (strcmp(t->events[i].path, path) == 0)
			return &t->events[i];
	return NULL;
}

static inline uint64_t blind_count(const struct sb_trace *t, enum sb_blind blind)
{
	uint64_t count = 0;

	for (size_t i = 0; i < t->end.blind_count; i++)
		count += t->end.blind[i].blind == blind ? t->end.blind[i].count : 0;
	return count;
}
