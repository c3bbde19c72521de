/*
 * The writable layer: a directory DIR with upper/ and work/, on disk or in a tmpfs.
 *
 * What the program writes goes to upper/. Order: launch_layer_claim() before the namespaces are
 * made, launch_layer_make() after, launch_layer_close() when nothing more is to be made.
 */
#pragma once

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"
#include "launcher/ops.h"
#include "launcher/reaper.h"

/* Who shows the payload and what is in DIR/upper, at DIR/upper. */
enum launch_layer_mounts {
	LAUNCH_MOUNTS_OURS,   /* we do: overlay, or the payload's parts bound into upper/ */
	LAUNCH_MOUNTS_THEIRS, /* a program that is told of upper/: nothing is mounted here */
	LAUNCH_MOUNTS_NONE,   /* they are refused: the payload is copied into upper/ */
};

struct launch_layer {
	/* Set by the caller. */
	const char *bundle, *payload; /* paths on this machine */
	bool privileged;	      /* no user namespace: files of others are no obstacle */
	enum launch_layer_mounts mounts;
	/* Set here. */
	int payload_fd;
	int claim;	    /* SIDEBUNDLE_WRITABLE, locked; -1: what is written is thrown away */
	int dir;	    /* DIR */
	int upper;	    /* DIR/upper */
	int points;	    /* mount points, in memory and below the payload; -1: in upper/ too */
	struct sb_buf path; /* DIR */
	bool tmpfs;	    /* DIR is one, over the bundle's libexec/: nothing is left to remove */
	bool overlay;	    /* else the payload's parts are bound into upper/ */
};

#define LAUNCH_LAYER_INIT                                                                       \
	{                                                                                       \
		NULL, NULL, false, LAUNCH_MOUNTS_OURS, -1, -1, -1, -1, -1, {NULL, 0, 0}, false, \
			false                                                                   \
	}

/* Where to look for room; values of the environment, NULL where unset. */
struct launch_places {
	const char *writable, *tmpdir, *cache, *home;
};

/* Opens the payload; where the changes are to be kept, makes sure that no other run has them. */
int launch_layer_claim(struct launch_layer *layer, const struct launch_places *places,
		       struct sb_err *err);
/*
 * Makes the layer at the first place that will do, tells the reaper (NULL: there is none, and only
 * a tmpfs will do, where we mount), carries out what `ops` has for the layer, and mounts. Then
 * DIR/upper is the root to be, and DIR the current directory.
 */
int launch_layer_make(struct launch_layer *layer, const struct launch_places *places,
		      const struct launch_reaper *reaper, const struct launch_ops *ops,
		      struct sb_err *err);
void launch_layer_close(struct launch_layer *layer);

/* A path of the payload, relative to a directory of ours: "/" is ".". */
static inline const char *launch_inside(const char *path)
{
	return path[1] ? path + 1 : ".";
}

/* layer_fill.c: those of `ops` that need no mount, in layer->upper. Again is as good as once. */
int launch_layer_fill(const struct launch_layer *layer, const struct launch_ops *ops,
		      struct sb_err *err);
/*
 * layer_mount.c, from the current directory DIR: room for mount points in memory, as each one on a
 * disk costs more than its mount (sets layer->points, or leaves them to upper/); DIR/upper.
 */
int launch_layer_make_points(struct launch_layer *layer, struct sb_err *err);
int launch_layer_mount_overlay(const struct launch_layer *layer, struct sb_err *err);
/* layer_copy.c: the payload and, as far as it can be copied, what `ops` mounts, in layer->upper. */
int launch_layer_copy(const struct launch_layer *layer, const struct launch_ops *ops,
		      struct sb_err *err);
/*
 * Shows the payload in the directory `to` (below the current one, filled already): makes its links
 * there, and a mount point for each part, for which it calls `bind` with both paths.
 */
typedef int launch_bind_fn(const char *from, const char *to, void *arg, struct sb_err *err);
int launch_layer_parts(const struct launch_layer *layer, const char *to, launch_bind_fn *bind,
		       void *arg, struct sb_err *err);
/* Where the kernel refuses overlay: upper/ with the payload's parts bound into it, read-only. */
int launch_layer_mount_parts(const struct launch_layer *layer, struct sb_err *err);
