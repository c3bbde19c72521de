/*
 * The trace file, sidebundle-trace(5): JSON Lines; a header, then processes, events and files in
 * any order, then a closing line. A merged trace holds those of several commands.
 *
 * Writing: sb_trace_create(), then _process(), _event() and _file() in any order, then _close().
 * What was written gets into the file in large pieces, and with sb_trace_flush(); a trace that was
 * never closed is read as far as it goes. Reading: sb_trace_load() gives the whole, merged (lines
 * that tell of the same thing are added up) and interned; everything in it lives until
 * sb_trace_free().
 *
 * Byte strings: paths, arguments and variables are any bytes but NUL. In the file they are JSON
 * strings where they are UTF-8, and {"hex": "..."} where they are not.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "tracer/event.h"

struct sb_trace_command;

struct sb_trace_header {
	const char *backend;	 /* "audit" */
	const char *why;	 /* chosen by "auto": why it took no better one; NULL else */
	const char *version;	 /* of sidebundle */
	const char *arch;	 /* uname machine */
	const char *cwd;	 /* where the command was started */
	const char *const *argv; /* the command, NULL-terminated */
	const char *const *env;	 /* "K=V", NULL-terminated; secret-looking names left out */
	int64_t started;	 /* seconds since the epoch */
	/* Of a merged trace: its commands, of which the above is the first. */
	const struct sb_trace_command *commands;
	size_t command_count; /* 0: not merged */
};

/* One traced command, and how it ended. */
struct sb_trace_command {
	struct sb_trace_header header;
	int status; /* wait status; -1: not known, its trace was cut short */
};

struct sb_trace_process {
	uint32_t id;
	uint32_t command; /* index of the command that it belongs to */
	int64_t parent;	  /* id of the image that forked or exec'd this one; -1 none */
	pid_t pid, ppid;
	bool forked;		 /* runs on without exec */
	const char *exe;	 /* absolute, as executed; NULL where not known */
	const char *cwd;	 /* at its start */
	const char *const *argv; /* NULL-terminated; NULL where not known */
};

/* A file as it was when the trace ended. */
struct sb_trace_file {
	const char *path; /* real */
	uint64_t dev, ino, size;
	int64_t mtime; /* seconds */
	uint32_t mtime_ns;
	uint32_t mode; /* st_mode */
	/* In a merged trace other machines may have had other files of that name: see
	 * sb_trace_other_file(). */
	size_t other; /* index + 1, 0 none */
};

struct sb_trace_blind {
	enum sb_blind blind;
	const char *path; /* the program, NULL where there is none */
	uint64_t count;
};

struct sb_trace_end {
	bool closed;  /* the closing line was there */
	int64_t died; /* when it was noted that the writer was killed; 0: it was not */
	int status;   /* wait status of the command */
	uint64_t lost;
	const struct sb_trace_blind *blind;
	size_t blind_count;
};

struct sb_trace_writer;

/* Makes `path` anew, mode 0600, and writes the header. */
int sb_trace_create(const char *path, const struct sb_trace_header *header,
		    struct sb_trace_writer **ret, struct sb_err *err);
int sb_trace_put_process(struct sb_trace_writer *w, const struct sb_trace_process *p,
			 struct sb_err *err);
int sb_trace_put_event(struct sb_trace_writer *w, const struct sb_event *ev, struct sb_err *err);
int sb_trace_put_file(struct sb_trace_writer *w, const struct sb_trace_file *f, struct sb_err *err);
/* Whole lines are in the file then; not on the disk. */
int sb_trace_flush(struct sb_trace_writer *w, struct sb_err *err);
/* Writes the closing line (totals are its own count), flushes, syncs nothing, frees w whatever
 * happens. */
int sb_trace_close(struct sb_trace_writer *w, const struct sb_trace_end *end, struct sb_err *err);
/* The descriptor that it writes to, for sb_trace_note_death(). */
int sb_trace_descriptor(const struct sb_trace_writer *w);
/*
 * By another process, when the writer was killed: in place of what was not written whole, a line
 * that says so. No allocation. 0 also where the trace is closed; -EINVAL where it is no file.
 */
int sb_trace_note_death(int trace, int64_t when);
/* Frees without a closing line. NULL is fine. */
void sb_trace_abandon(struct sb_trace_writer *w);

struct sb_trace {
	struct sb_trace_header header;
	struct sb_trace_command *commands; /* one, unless it is merged */
	size_t command_count;
	struct sb_trace_process *processes; /* index: sb_event.process (ids are renumbered to it) */
	size_t process_count;
	struct sb_event *events;
	size_t event_count;
	struct sb_trace_file *files;
	size_t file_count;
	struct sb_trace_end end;
	struct sb_trace_store *store;
};

/*
 * Fails with one line that names the file and the line number where the file is not a trace or is
 * damaged; a last line that is cut short is no damage (end.closed says so).
 */
int sb_trace_load(const char *path, struct sb_trace **ret, struct sb_err *err);
void sb_trace_free(struct sb_trace *trace);
/* The program of the first process: what the command became. NULL: it is not told. */
const char *sb_trace_command(const struct sb_trace *trace);
/* The file's note, NULL where there is none. */
const struct sb_trace_file *sb_trace_find_file(const struct sb_trace *trace, const char *real);
/* Another file that had this name, on another machine; NULL where there is no more. */
const struct sb_trace_file *sb_trace_other_file(const struct sb_trace *trace,
						const struct sb_trace_file *file);
