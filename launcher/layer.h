/*
 * The writable layer: a directory DIR with upper/, work/, lower/ and root/, on disk or in a tmpfs.
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

struct launch_layer {
	/* Set by the caller. */
	const char *bundle, *payload; /* paths on this machine */
	bool privileged;	      /* no user namespace: files of others are no obstacle */
	/* Set here. */
	int payload_fd;
	int claim;	    /* SIDEBUNDLE_WRITABLE, locked; -1: what is written is thrown away */
	int dir;	    /* DIR */
	int upper;	    /* DIR/upper */
	struct sb_buf path; /* DIR */
	bool mounted;	    /* a tmpfs lies over the bundle's libexec/ ... */
	bool tmpfs;	    /* ... and DIR is in it: nothing is left to remove */
	bool overlay;	    /* else the payload's parts are bound into upper/ */
};

#define LAUNCH_LAYER_INIT                                                            \
	{                                                                            \
		NULL, NULL, false, -1, -1, -1, -1, {NULL, 0, 0}, false, false, false \
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
 * a tmpfs will do), carries out what `ops` has for the layer, and mounts. Then DIR/root is the root
 * to be, and DIR the current directory.
 */
int launch_layer_make(struct launch_layer *layer, const struct launch_places *places,
		      const struct launch_reaper *reaper, const struct launch_ops *ops,
		      struct sb_err *err);
void launch_layer_close(struct launch_layer *layer);

/* layer_fill.c: those of `ops` that need no mount, in layer->upper. Again is as good as once. */
int launch_layer_fill(const struct launch_layer *layer, const struct launch_ops *ops,
		      struct sb_err *err);
/* layer_mount.c: DIR/root, from the current directory DIR. */
int launch_layer_mount_overlay(const struct launch_layer *layer, struct sb_err *err);
/* Where the kernel refuses overlay: upper/ with the payload's parts bound into it, read-only. */
int launch_layer_mount_parts(const struct launch_layer *layer, struct sb_err *err);
