/*
 * manifest.lock: what is in a bundle, hash by hash, and why. JSON, one file of the payload a line.
 *
 * Writing: fill a struct sb_manifest with borrowed strings, sb_manifest_write() appends the bytes
 * to a buffer; the same manifest gives the same bytes. Reading: sb_manifest_read() checks every
 * value (types, modes, hashes, that no path leads out of the payload) and gives one that lives
 * until sb_manifest_free().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bundler/fileset.h"
#include "common/buf.h"
#include "common/err.h"
#include "common/json.h"

#define SB_MANIFEST_PATH    "manifest.lock"
#define SB_MANIFEST_VERSION 1
/* The largest manifest that is read. */
#define SB_MANIFEST_MAX (256u << 20)
#define SB_SHA256_HEX	65

/* What host mode has of a file, in libexec/host. */
enum sb_host_part {
	SB_HOST_NOTHING,
	SB_HOST_PROGRAM, /* the start is in its place */
	SB_HOST_LIBRARY, /* a rewritten copy: host_sha256 */
};

/* What host mode cannot do for a program. */
enum sb_host_gap {
	SB_GAP_NONE,
	SB_GAP_STATIC, /* it asks the kernel itself: what it looks up is not redirected */
	SB_GAP_GO,     /* the same, although it has a dynamic linker */
	SB_GAP_LINKER, /* it is run through its dynamic linker: only its libraries are the bundle's
			*/
	SB_GAP_COUNT
};
/* "static"; NULL for none. */
const char *sb_host_gap_name(enum sb_host_gap gap);

struct sb_manifest_file {
	const char *path; /* absolute, in the payload */
	enum sb_item_type type;
	char sha256[SB_SHA256_HEX]; /* of a file */
	uint64_t size;		    /* of a file */
	mode_t mode;		    /* as stored, permission bits; not of a link */
	mode_t original;	    /* as found */
	int64_t mtime;
	uint32_t mtime_ns;
	const char *target;  /* of a link */
	const char *same_as; /* path of the file that this one is a hard link to; NULL none */
	enum sb_host_part host;
	enum sb_host_gap host_gap;
	char host_sha256[SB_SHA256_HEX];
	const char *package; /* "coreutils=9.1-1"; NULL unknown */
	const struct sb_reason *reasons;
	size_t reason_count;
};

struct sb_manifest_entry {
	const char *name, *path;
	const char *const *argv; /* recorded command, NULL-terminated; NULL none */
	const char *cwd;	 /* recorded directory; NULL none */
};

struct sb_manifest_blind {
	const char *name; /* sb_blind_name() */
	const char *path; /* NULL none */
	uint64_t count;
};

struct sb_manifest_left_out {
	const char *path, *why; /* sb_note_name() */
};

struct sb_manifest {
	const char *name, *run_mode, *arch;
	/* What the target must have at least; NULL where nothing says so. */
	const char *kernel, *cpu, *glibc;
	const char *library_path;	     /* LD_LIBRARY_PATH of the traced runs; NULL none */
	char launcher_sha256[SB_SHA256_HEX]; /* of bin/ENTRY */
	char plan_sha256[SB_SHA256_HEX];
	char start_sha256[SB_SHA256_HEX], index_sha256[SB_SHA256_HEX]; /* empty: no libexec/host */
	const struct sb_manifest_entry *entries;
	size_t entry_count;
	const struct sb_manifest_blind *blind;
	size_t blind_count;
	const struct sb_manifest_left_out *left_out;
	size_t left_out_count;
	const struct sb_manifest_file *files; /* by path, bytewise */
	size_t file_count;
	struct sb_manifest_store *store;
};

int sb_manifest_write(const struct sb_manifest *m, struct sb_buf *ret, struct sb_err *err);
/* Its members "blind" and "left_out" alone, into an object that is open. */
void sb_manifest_write_gaps(const struct sb_manifest *m, struct sb_json *json);
/* Fails with one line that says what is wrong with it. */
int sb_manifest_read(int bundle_fd, struct sb_manifest **ret, struct sb_err *err);
int sb_manifest_parse(const char *text, size_t len, struct sb_manifest **ret, struct sb_err *err);
void sb_manifest_free(struct sb_manifest *m);
/* NULL where there is none. */
const struct sb_manifest_file *sb_manifest_find(const struct sb_manifest *m, const char *path);
