/*
 * What host mode needs beside the payload: libexec/host (redirect/index.h), made from the payload's
 * rows. Programs get the start in their place, dynamic linkers and libcs a rewritten copy, and all
 * of the payload an index.
 */
#pragma once

#include <time.h>

#include "bundler/elf.h"
#include "bundler/fileset.h"
#include "bundler/manifest.h"
#include "bundler/remark.h"
#include "common/map.h"

struct sb_host_spec {
	const struct sb_fileset *set; /* what the payload was made from */
	int payload, libexec;	      /* their directories */
	/*
	 * The program of redirect/: START-ARCH, or START where there is none, which is this
	 * machine's. That may be missing, too: no libexec/host.
	 */
	const char *start;
	const char *arch;	     /* what the payload is for; NULL: this machine, or unknown */
	const char *library_path;    /* LD_LIBRARY_PATH of what was traced; NULL none */
	const struct timespec *when; /* every file's time */
	struct sb_remarks *remarks;  /* NULL: host mode is not what the bundle is for */
};

/* Fills the rows' `host` and `host_sha256`, and the manifest's hashes of start and index. */
int sb_host_write(const struct sb_host_spec *spec, struct sb_manifest_file *files, size_t count,
		  struct sb_manifest *m, struct sb_err *err);

/*
 * bundler/host_index.c: the index of these rows, appended. `script`: by row, whether it is one;
 * `searched`: folders of RUNPATHs, parted by ':', or NULL.
 */
int sb_host_index(const struct sb_manifest_file *files, size_t count, const bool *script,
		  const char *library_path, const char *searched, struct sb_buf *ret,
		  struct sb_err *err);

/* bundler/host_runpath.c: adds the folders that this file has looked into. 0 or -ENOMEM. */
int sb_host_runpath(const struct sb_elf *elf, const char *path, const char *root,
		    struct sb_map *dirs);
