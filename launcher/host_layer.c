#include "launcher/host_layer.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/layer.h"
#include "launcher/ops.h"
#include "launcher/reaper.h"
#include "launcher/session.h"
#include "redirect/index.h"

/* One of the directories; below one that came before, it is in that one's copy. */
static int add_dir(struct launch_ops *ops, struct sb_buf *told, const char *dir, struct sb_err *err)
{
	struct launch_op op = {.kind = LAUNCH_COPY, .mode = 0755};
	struct stat st;

	if (stat(dir, &st) == 0 || !dir[1])
		return 0;
	for (size_t i = 0; i < ops->count; i++)
		if (strcmp(ops->items[i].dest, dir) == 0)
			return 0;
	op.dest = (char *)dir; /* copied */
	if (sb_buf_putc(told, '\1') < 0 || sb_buf_puts(told, dir) < 0)
		return sb_fail(err, ENOMEM, "copy '%s'", dir);
	return launch_ops_add(ops, &op, err);
}

static int plan(const struct launch_entry *entry, struct launch_ops *ops, struct sb_buf *told,
		struct sb_err *err)
{
	int rc = add_dir(ops, told, entry->cwd, err);

	for (size_t i = 0; i < entry->writable.count && rc == 0; i++)
		rc = add_dir(ops, told, entry->writable.items[i], err);
	return rc;
}

static int make(const struct launch_request *request, const struct launch_ops *ops,
		struct launch_layer *layer, struct sb_err *err)
{
	const struct launch_places places = {
		.writable = launch_variable(request, "SIDEBUNDLE_WRITABLE"),
		.tmpdir = launch_variable(request, "TMPDIR"),
		.cache = launch_variable(request, "XDG_CACHE_HOME"),
		.home = launch_variable(request, "HOME"),
	};
	struct launch_reaper reaper = LAUNCH_REAPER_INIT;
	struct sb_err none = SB_ERR_INIT;
	int rc = launch_layer_claim(layer, &places, err);

	if (rc < 0)
		return rc;
	const struct launch_reaper_way way = {.hold = layer->claim, .by_process = true};
	bool reaped = getpid() != 1 && launch_reaper_start(&way, &reaper, &none) == 0;
	return launch_layer_make(layer, &places, reaped ? &reaper : NULL, ops, err);
}

int launch_host_layer(const struct launch_request *request, struct sb_buf *ret_told,
		      struct sb_err *err)
{
	struct launch_layer layer = LAUNCH_LAYER_INIT;
	struct launch_ops ops = {NULL, 0, 0};
	auto_buf dirs = SB_BUF_INIT, start = SB_BUF_INIT;

	layer.bundle = request->bundle;
	layer.payload = request->payload;
	layer.privileged = geteuid() == 0;
	layer.mounts = LAUNCH_MOUNTS_THEIRS;
	int rc = plan(request->entry, &ops, &dirs, err);

	if (rc == 0)
		rc = make(request, &ops, &layer, err);
	if (rc == 0 &&
	    (sb_buf_printf(ret_told, SB_TRANSIT_NAME "=\1%s/upper%s", layer.path.s, dirs.s) < 0 ||
	     sb_buf_printf(&start, "%s/upper%s", layer.path.s, request->entry->cwd) < 0))
		rc = sb_fail(err, ENOMEM, "make a layer");
	if (rc == 0 && chdir(start.s) < 0)
		rc = sb_fail(err, errno, "go to '%s'", start.s);
	launch_layer_close(&layer);
	launch_ops_free(&ops);
	return rc;
}
