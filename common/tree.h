/*
 * Directory trees by descriptor: as deep and with names as long as the file system has them, few
 * descriptors open, and no symlink followed.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include "common/err.h"

struct sb_tree_node {
	int dirfd;	  /* the directory that it is in */
	const char *name; /* its name there */
	const char *path; /* from the top of the walk, without a leading slash */
	const struct stat *st;
	bool leaving; /* a directory, the second time: what was in it has been visited */
};

/* 0: go on; 1: (a directory, on entering) do not go into it; -errno with *err: ends the walk. */
typedef int (*sb_tree_fn)(void *arg, const struct sb_tree_node *node, struct sb_err *err);

/*
 * Visits everything below the directory `name` in `dirfd` (itself not), names in bytewise order.
 * What vanishes meanwhile is passed over. A directory that cannot be read ends the walk with
 * -EACCES, unless `fn` did not want to go into it.
 */
int sb_tree_walk(int dirfd, const char *name, sb_tree_fn fn, void *arg, struct sb_err *err);

/* Removes it and all below, read-only directories too. What is not there is no error. */
int sb_tree_remove(int dirfd, const char *name, struct sb_err *err);

/*
 * Opens (O_PATH) the directory that `path` is in, from `dirfd` on, in pieces that the kernel takes;
 * *ret_name is the last component, inside `path`. The descriptor, or -errno.
 */
int sb_open_parent(int dirfd, const char *path, const char **ret_name);
