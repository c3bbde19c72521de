/*
 * The payload: the files of a file set, copied under a directory, and hashed while they are.
 *
 * sb_payload_write() makes directories, copies, links, and then sets modes and times; the set must
 * be sorted. Every file is read once. Reflinks are made where the file system can, holes stay
 * holes, hard links stay hard links. Uses as many threads as there are processors for us.
 */
#pragma once

#include <signal.h>

#include "bundler/fileset.h"
#include "bundler/manifest.h"
#include "bundler/remark.h"

struct sb_payload_spec {
	const struct sb_fileset *set;
	int dirfd; /* of the payload's own directory, which is there and empty */
	/* Ends the work with -EINTR once it is not 0; NULL: never. */
	const volatile sig_atomic_t *stop;
	/* Hears now and then, from the calling thread, how far it is; NULL: does not. */
	void (*progress)(void *arg, size_t done, size_t all);
	void *progress_arg;
};

/*
 * *ret_files: one row for each item that is now in the payload, in the set's order, with strings
 * and reasons of the set; to be freed with free(). A source that vanished or may not be read is
 * noted and has no row.
 */
int sb_payload_write(const struct sb_payload_spec *spec, struct sb_remarks *remarks,
		     struct sb_manifest_file **ret_files, size_t *ret_count, struct sb_err *err);

/* The mode that is stored: readable for all, executable for all where it is for anybody. */
mode_t sb_payload_mode(mode_t found);
