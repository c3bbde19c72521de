/* The payload as "/", by namespaces of our own: the process stays the one that was started. */
#include <unistd.h>

#include "common/namespace.h"
#include "common/probe.h"
#include "launcher/layer.h"
#include "launcher/mode.h"
#include "launcher/mounts.h"
#include "launcher/reaper.h"
#include "launcher/session.h"

/* The file system that goes when the last process of the namespace has gone. */
static int watch(const struct launch_reaper *reaper, const struct launch_layer *layer,
		 struct sb_err *err)
{
	return launch_reaper_watch(reaper, layer->overlay ? "/" : "/dev", err);
}

/* From here on the process sees the payload only. */
static int enter(const struct launch_request *request, const struct launch_session *session,
		 struct sb_err *err)
{
	struct launch_layer layer = LAUNCH_LAYER_INIT;
	struct launch_reaper reaper = LAUNCH_REAPER_INIT;
	struct sb_rights rights = {{0, 0}, false};
	struct sb_err none = SB_ERR_INIT;

	layer.bundle = request->bundle;
	layer.payload = request->payload;
	int rc = launch_layer_claim(&layer, &session->places, err);
	const struct launch_reaper_way way = {.hold = layer.claim};
	/* Process 1 would get the reaper as its child, and takes it along when it ends. */
	bool reaped = getpid() != 1 && launch_reaper_start(&way, &reaper, &none) == 0;
	if (rc == 0)
		rc = sb_namespaces_enter(session->own_net, &rights, err);
	layer.privileged = rights.privileged;
	if (rc == 0)
		rc = launch_layer_make(&layer, &session->places, reaped ? &reaper : NULL,
				       &session->ops, err);
	if (rc == 0)
		rc = launch_mount_root("upper", &session->ops, layer.tmpfs ? layer.path.s : NULL,
				       err);
	if (rc == 0 && reaped && !layer.tmpfs)
		rc = watch(&reaper, &layer, err);
	if (rc == 0)
		rc = sb_rights_drop(&rights, err);
	launch_layer_close(&layer);
	return rc;
}

static int run(const struct launch_request *request, struct sb_err *err)
{
	struct launch_session session = LAUNCH_SESSION_INIT;
	int rc = launch_session_plan(request, &session, err);

	if (rc == 0)
		rc = enter(request, &session, err);
	if (rc == 0)
		rc = launch_session_exec(request, &session, err);
	launch_session_free(&session);
	return rc;
}

const struct launch_mode launch_mode_namespace = {"namespace", sb_probe_namespace, run};
