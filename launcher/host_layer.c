#include "launcher/host_layer.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/path.h"
#include "launcher/layer.h"
#include "launcher/ops.h"
#include "launcher/reaper.h"
#include "launcher/session.h"
#include "redirect/index.h"

/* The bundle's files cannot be written to where they are, and the machine's are not meant. */
static bool has_files(const struct launch_request *request, const char *dir)
{
	auto_buf path = SB_BUF_INIT;
	struct dirent *d;

	if (sb_in_root(&path, request->payload, dir) < 0)
		return false;
	auto_dir DIR *list = opendir(path.s);
	while (list && (d = readdir(list)))
		if (d->d_type != DT_DIR)
			return true;
	return false;
}

/* One of the directories; below one that came before, it is in that one's copy. */
static int add_dir(struct launch_ops *ops, struct sb_buf *told, const char *dir, struct sb_err *err)
{
	struct launch_op op = {.kind = LAUNCH_COPY, .mode = 0755};

	for (size_t i = 0; i < ops->count; i++)
		if (sb_path_below(dir, ops->items[i].dest))
			return 0;
	if (ops->count == SB_DIRS_MOST)
		return sb_fail(err, SB_ESAID,
			       "the replay writes in more than %d directories: set "
			       "SIDEBUNDLE_RUN_MODE=namespace",
			       SB_DIRS_MOST);
	op.dest = (char *)dir; /* copied */
	if (sb_buf_putc(told, '\1') < 0 || sb_buf_puts(told, dir) < 0)
		return sb_fail(err, ENOMEM, "copy '%s'", dir);
	return launch_ops_add(ops, &op, err);
}

/* Of those that are copied. */
static int add_private(const struct launch_request *request, struct launch_ops *ops,
		       struct sb_err *err)
{
	const struct sb_strings *list = &request->plan->private_dirs;
	size_t copies = ops->count;
	int rc = 0;

	for (size_t i = 0; i < list->count && rc == 0; i++)
		for (size_t j = 0; j < copies && rc == 0; j++) {
			struct launch_op op = {.kind = LAUNCH_DIR, .mode = 0700, .exact = true};

			op.dest = (char *)list->items[i];
			if (sb_path_below(op.dest, ops->items[j].dest))
				rc = launch_ops_add(ops, &op, err);
		}
	return rc;
}

static int plan(const struct launch_request *request, struct launch_ops *ops, struct sb_buf *told,
		struct sb_err *err)
{
	const struct sb_strings *writable = &request->entry->writable;
	int rc = add_dir(ops, told, request->entry->cwd, err);

	for (size_t i = 0; i < writable->count && rc == 0; i++) {
		const char *dir = writable->items[i];
		struct stat st;

		if (dir[1] && (stat(dir, &st) < 0 || has_files(request, dir)))
			rc = add_dir(ops, told, dir, err);
	}
	return rc < 0 ? rc : add_private(request, ops, err);
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
	/* One that cannot wait would remove the directory at once: it is told of nothing. */
	reaped = reaped && reaper.pidfd;
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
	int rc = plan(request, &ops, &dirs, err);

	if (rc == 0)
		rc = make(request, &ops, &layer, err);
	if (rc == 0 &&
	    (sb_buf_printf(ret_told, SB_TRANSIT_NAME "=\1%s/upper%s", layer.path.s, dirs.s) < 0 ||
	     sb_buf_printf(&start, "%s/upper%s", layer.path.s, request->entry->cwd) < 0))
		rc = sb_fail(err, ENOMEM, "make a layer");
	/* One that is kept is not removed, whoever uses it. */
	auto_fd int used = rc < 0 || layer.claim >= 0
				   ? -1
				   : openat(layer.upper, SB_LAYER_USED,
					    O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (rc == 0 && used < 0 && layer.claim < 0)
		rc = sb_fail(err, errno, "make '%s/upper/" SB_LAYER_USED "'", layer.path.s);
	if (rc == 0 && chdir(start.s) < 0)
		rc = sb_fail(err, errno, "go to '%s'", start.s);
	launch_layer_close(&layer);
	launch_ops_free(&ops);
	return rc;
}
