/*
 * This process as a traced one: a log, the recorder that writes to it, and a look at what stands in
 * the log then. Criterion runs each test in a process of its own, so each starts untouched.
 */
#pragma once

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "preload/chunk.h"
#include "preload/start.h"
#include "tracer/logfile.h"
#include "tracer/record.h"

#define TRACEE_TOKEN 0x2a

static struct sb_log_file *the_log;
static char tracee_cwd[64];

/* The log alone, and a directory to work in. */
static inline void tracee_log(void)
{
	struct sb_err err = SB_ERR_INIT;

	strcpy(tracee_cwd, "/tmp/sb-tracee.XXXXXX");
	cr_assert(mkdtemp(tracee_cwd) != NULL);
	cr_assert(eq(int, chdir(tracee_cwd), 0));
	cr_assert(eq(int, sb_log_make("/modules", &the_log, &err), 0), "%s", err.msg);
}

/* The environment that brings it in; `flags` as in preload/start.h. */
static inline bool tracee_start(const char *flags)
{
	static char *const argv[] = {"program", "an argument", "", NULL};
	char trace[512];
	char *envp[] = {"A=1", "LD_PRELOAD=user.so:/modules/" SB_PRELOAD_NAME, trace, NULL};

	(void)snprintf(trace, sizeof trace, SB_ENV_TRACE "=%x%s:%s", TRACEE_TOKEN, flags,
		       sb_log_path(the_log));
	return sb_start(argv, envp);
}

static inline void tracee_begin(void)
{
	tracee_log();
	cr_assert(tracee_start(""));
}

/* What a child leaves: its exit status. */
static inline int tracee_wait(pid_t pid)
{
	int status = -1;

	cr_assert(eq(int, waitpid(pid, &status, 0), pid));
	return status;
}

/* system() is ours here, and is what is tested. */
static inline void tracee_end(void)
{
	pid_t pid = fork();

	sb_log_free(the_log);
	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", tracee_cwd, NULL);
		_exit(127);
	}
	cr_expect(eq(int, tracee_wait(pid), 0));
}

/* Where a walk through the log stands. */
struct tracee_walk {
	uint64_t chunk;
	uint32_t offset;
	const struct sb_chunk *memory; /* the record's */
	const struct sb_rec *raw;
};

/* The next record that is complete, checked as the collector does; NULL at the end. */
static inline const struct record *tracee_next(struct tracee_walk *w)
{
	static struct record record;

	for (; w->chunk < sb_log_claimed(the_log); w->chunk++, w->offset = 0) {
		uint32_t word;

		if (!w->offset) {
			w->offset = sizeof(struct sb_chunk);
			w->memory = sb_log_chunk(the_log, w->chunk);
			cr_assert(w->memory != NULL);
		}
		while (w->offset + sizeof(struct sb_rec) <= SB_CHUNK) {
			w->raw = (const struct sb_rec *)((const char *)w->memory + w->offset);
			word = w->raw->word;
			if (!word)
				break;
			w->offset += word & SB_REC_SIZE;
			if (!(word & SB_REC_DONE))
				continue;
			cr_assert(record_take(&record, w->raw, word & SB_REC_SIZE));
			return &record;
		}
	}
	return NULL;
}

static inline void tracee_expect_text(const struct record *rec, size_t index, const char *want)
{
	const char *got = record_string(rec, index);

	cr_expect(eq(str, (char *)(got ? got : "(none)"), (char *)want), "string %zu", index);
}

/* The nth record (from 0) of that kind whose string at `index` is `text`; text NULL: any. */
static inline const struct record *tracee_find(unsigned kind, size_t index, const char *text,
					       size_t nth)
{
	struct tracee_walk w = {0};
	const struct record *rec;

	while ((rec = tracee_next(&w))) {
		const char *s = record_string(rec, index);

		if (rec->head.kind == kind && (!text || (s && strcmp(s, text) == 0)) && nth-- == 0)
			return rec;
	}
	return NULL;
}

static inline size_t tracee_count(unsigned kind, const char *text)
{
	size_t n = 0;

	while (tracee_find(kind, 0, text, n))
		n++;
	return n;
}

static inline void tracee_open(const char *path, int outcome)
{
	sb_record(&(struct sb_access){
		.kind = SB_OPEN, .dirfd = AT_FDCWD, .path = path, .outcome = outcome, .fd = -1});
}
