/*
 * The log's file and its storage: the collector's half of tracer/wire.h.
 *
 * Order: sb_log_make(), sb_log_ahead() from time to time (the first call is in make),
 * sb_log_chunk() to read, sb_log_release() for each chunk that is done with, sb_log_free().
 *
 * The file lives in a directory of its own, 0700, with a name that nobody can guess, on the first
 * of /dev/shm, XDG_RUNTIME_DIR, TMPDIR, /var/tmp that has room. A lock on it tells the living from
 * the dead: what a killed run left behind is removed by the next one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"
#include "tracer/wire.h"

struct sb_log_file;

/*
 * Makes the log. `modules` is the directory whose files ld.so is to load by LD_PRELOAD and
 * LD_AUDIT; where its name has a character that those variables cannot hold, a symlink beside the
 * log stands for it.
 */
int sb_log_make(const char *modules, struct sb_log_file **ret, struct sb_err *err);
/* Gives everything back and removes the directory. Processes that still write keep their mapping.
 */
void sb_log_free(struct sb_log_file *log);

struct sb_log_header *sb_log_head(struct sb_log_file *log);
const char *sb_log_path(const struct sb_log_file *log);
const char *sb_log_dir(const struct sb_log_file *log);
/* Appends the name of what belongs to the log in `dir` and lies on a disk: tracer/libctext.h. */
int sb_log_text(const char *dir, struct sb_buf *ret);
/* The modules' directory as LD_PRELOAD can name it. */
const char *sb_log_modules(const struct sb_log_file *log);

/* Somebody made the file shorter than it was: what was in there is lost, and read as zeroes. */
bool sb_log_is_cut(const struct sb_log_file *log);

/* Chunks that were handed out: never more than have storage, whatever a tracee wrote there. */
uint64_t sb_log_claimed(struct sb_log_file *log);
/* Keeps storage ahead of the tracees, more of it the faster they claim. False: no more to be had.
 */
bool sb_log_ahead(struct sb_log_file *log);
/* The chunk's memory, NULL where it cannot be mapped. Holds until released. */
struct sb_chunk *sb_log_chunk(struct sb_log_file *log, uint64_t number);
/* The chunk is done with: its storage goes back. */
void sb_log_release(struct sb_log_file *log, uint64_t number);
