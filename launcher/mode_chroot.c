/*
 * The payload as "/" by chroot(2). Where mounts are allowed they are made in a namespace of our
 * own, as in namespace mode; where they are not, the root is a copy, without /proc and without the
 * caller's directories.
 */
#include <stdio.h>
#include <unistd.h>

#include "common/namespace.h"
#include "common/probe.h"
#include "launcher/layer.h"
#include "launcher/mode.h"
#include "launcher/mounts.h"
#include "launcher/reaper.h"
#include "launcher/session.h"

/* The root is ready, at DIR/upper: into it. */
static int change_root(const struct launch_layer *layer, const struct launch_session *session,
		       struct sb_err *err)
{
	const struct launch_ops none = {NULL, 0, 0};

	return launch_mount_root("upper",
				 layer->mounts == LAUNCH_MOUNTS_OURS ? &session->ops : &none,
				 layer->tmpfs ? layer->path.s : NULL, err);
}

static int enter(const struct launch_request *request, struct launch_session *session,
		 struct sb_err *err)
{
	struct launch_layer layer = LAUNCH_LAYER_INIT;
	struct launch_reaper reaper = LAUNCH_REAPER_INIT;
	struct sb_err none = SB_ERR_INIT;

	layer.bundle = request->bundle;
	layer.payload = request->payload;
	layer.privileged = geteuid() == 0;
	int rc = launch_layer_claim(&layer, &session->places, err);
	if (rc < 0)
		return rc;
	const struct launch_reaper_way way = {.hold = layer.claim, .by_process = true};
	/* Process 1 would get the reaper as its child, and takes it along when it ends. */
	bool reaped = getpid() != 1 && launch_reaper_start(&way, &reaper, &none) == 0;
	if (sb_mounts_enter(session->own_net, &none) < 0) {
		layer.mounts = LAUNCH_MOUNTS_NONE;
		/* One that cannot wait would remove the root at once: it is told of nothing. */
		reaped = reaped && reaper.pidfd;
	}
	if (layer.mounts == LAUNCH_MOUNTS_NONE && session->own_net)
		return sb_fail(err, SB_ESAID,
			       "SIDEBUNDLE_NET=0 needs CAP_SYS_ADMIN: unset it, or set "
			       "SIDEBUNDLE_RUN_MODE=namespace");
	rc = launch_layer_make(&layer, &session->places, reaped ? &reaper : NULL, &session->ops,
			       err);
	if (rc == 0)
		rc = change_root(&layer, session, err);
	if (rc == 0 && reaped && layer.mounts == LAUNCH_MOUNTS_OURS && !layer.tmpfs)
		rc = launch_reaper_watch(&reaper, layer.overlay ? "/" : "/dev", err);
	launch_layer_close(&layer);
	return rc;
}

static int run(const struct launch_request *request, struct sb_err *err)
{
	struct launch_session session = LAUNCH_SESSION_INIT;
	/* First: a caller without the right is to hear of this, and of nothing else. */
	int rc = sb_chroot_try(err);

	if (rc == 0)
		rc = launch_session_plan(request, &session, err);
	if (rc == 0)
		rc = enter(request, &session, err);
	if (rc == 0)
		rc = sb_capabilities_drop(err);
	if (rc == 0)
		rc = launch_session_exec(request, &session, err);
	launch_session_free(&session);
	return rc;
}

const struct launch_mode launch_mode_chroot = {"chroot", sb_probe_chroot, run};
