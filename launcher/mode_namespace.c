/* The payload as "/", by namespaces of our own: the process stays the one that was started. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/namespace.h"
#include "common/probe.h"
#include "launcher/command.h"
#include "launcher/layer.h"
#include "launcher/mode.h"
#include "launcher/mounts.h"
#include "launcher/reaper.h"
#include "launcher/view.h"

static const char *variable(const struct launch_request *request, const char *name)
{
	size_t len = strlen(name);

	for (char *const *e = request->environment; *e; e++)
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			return *e + len + 1;
	return NULL;
}

static bool own_net(const struct launch_request *request)
{
	const char *net = variable(request, "SIDEBUNDLE_NET");

	return net && strcmp(net, "0") == 0;
}

static int plan_view(const struct launch_request *request, struct launch_ops *ops,
		     struct sb_buf *ret_start, struct sb_err *err)
{
	const char *user = variable(request, "LOGNAME");
	const struct launch_view view = {
		.payload = request->payload,
		.machine = "",
		.entry = request->entry,
		.bind = variable(request, "SIDEBUNDLE_BIND"),
		.cwd = request->cwd,
		.home = variable(request, "HOME"),
		.tmpdir = variable(request, "TMPDIR"),
		.user = user ? user : variable(request, "USER"),
		.uid = geteuid(),
		.gid = getegid(),
	};

	return launch_view_plan(&view, ops, ret_start, err);
}

/* The file system that goes when the last process of the namespace has gone. */
static int watch(const struct launch_reaper *reaper, const struct launch_layer *layer,
		 struct sb_err *err)
{
	return launch_reaper_watch(reaper, layer->overlay ? "/" : "/dev", err);
}

/* From here on the process sees the payload only. */
static int enter(const struct launch_request *request, const struct launch_ops *ops,
		 struct sb_err *err)
{
	const struct launch_places places = {
		.writable = variable(request, "SIDEBUNDLE_WRITABLE"),
		.tmpdir = variable(request, "TMPDIR"),
		.cache = variable(request, "XDG_CACHE_HOME"),
		.home = variable(request, "HOME"),
	};
	struct launch_layer layer = LAUNCH_LAYER_INIT;
	struct launch_reaper reaper = LAUNCH_REAPER_INIT;
	struct sb_rights rights = {{0, 0}, false};
	struct sb_err none = SB_ERR_INIT;

	layer.bundle = request->bundle;
	layer.payload = request->payload;
	int rc = launch_layer_claim(&layer, &places, err);
	/* Process 1 would get the reaper as its child, and takes it along when it ends. */
	bool reaped = getpid() != 1 && launch_reaper_start(layer.claim, &reaper, &none) == 0;
	if (rc == 0)
		rc = sb_namespaces_enter(own_net(request), &rights, err);
	layer.privileged = rights.privileged;
	if (rc == 0)
		rc = launch_layer_make(&layer, &places, reaped ? &reaper : NULL, ops, err);
	if (rc == 0)
		rc = launch_mount_all(ops, layer.tmpfs ? layer.path.s : NULL, err);
	if (rc == 0 && reaped && !layer.tmpfs)
		rc = watch(&reaper, &layer, err);
	if (rc == 0)
		rc = sb_rights_drop(&rights, err);
	launch_layer_close(&layer);
	return rc;
}

/*
 * A replay executes what the traced command did, by the same name from the same directory: a script
 * is told this name, and may print it.
 */
static const char *file_of(const struct launch_entry *entry)
{
	const char *name = entry->cwd && entry->args.count ? entry->args.items[0] : NULL;

	return name && strchr(name, '/') ? name : entry->exec;
}

static int run(const struct launch_request *request, struct sb_err *err)
{
	struct launch_ops ops = {NULL, 0, 0};
	struct launch_strings argv = {NULL, 0, 0}, environment = {NULL, 0, 0};
	auto_buf start = SB_BUF_INIT;
	const struct launch_entry *entry = request->entry;
	mode_t mask = umask(0);
	int rc = plan_view(request, &ops, &start, err);

	if (rc == 0 && launch_strings_add(&argv, launch_command_name(entry, request->argv)) < 0)
		rc = sb_fail(err, ENOMEM, "copy the arguments");
	if (rc == 0)
		rc = launch_command_args(entry, request->argv, &argv, err);
	if (rc == 0)
		rc = launch_command_env(request->plan, entry, request->environment, false,
					&environment, err);
	if (rc == 0)
		rc = enter(request, &ops, err);
	if (rc == 0 && chdir(start.s) < 0 && entry->cwd)
		rc = sb_fail(err, errno, "go to the recorded directory '%s'", start.s);
	(void)umask(mask);
	if (rc == 0)
		rc = launch_exec(file_of(entry), entry->exec, launch_strings_list(&argv),
				 launch_strings_list(&environment), err);
	launch_ops_free(&ops);
	launch_strings_free(&argv);
	launch_strings_free(&environment);
	return rc;
}

const struct launch_mode launch_mode_namespace = {"namespace", sb_probe_namespace, run};
