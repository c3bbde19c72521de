#include "launcher/view.h"

#include <string.h>
#include <sys/stat.h>

#include "common/path.h"

static bool is_bind(enum launch_op_kind kind)
{
	return kind == LAUNCH_BIND || kind == LAUNCH_SHOW;
}

int launch_view_add(const struct launch_view *view, struct launch_ops *ops,
		    const struct launch_op *op, struct sb_err *err)
{
	auto_buf dest = SB_BUF_INIT;
	auto_buf source = SB_BUF_INIT;
	struct launch_op real = *op;

	if (is_bind(op->kind)) {
		struct sb_err absent = SB_ERR_INIT;

		/* Not there, or not for this user to see: there is nothing to show. */
		if (sb_resolve(view->machine, op->source, 0, NULL, NULL, &source, &absent) < 0)
			return 0;
		real.source = source.s;
	}
	if (launch_ops_hide(ops, op->dest)) {
		int added = launch_ops_add(ops, &real, err);

		return added < 0 ? added : 1;
	}
	int rc = sb_resolve(view->payload, op->dest, SB_RESOLVE_MISSING, NULL, NULL, &dest, err);
	if (rc < 0 && op->optional)
		return 0;
	if (rc < 0)
		return rc;
	real.dest = dest.s;
	rc = launch_ops_add(ops, &real, err);
	return rc < 0 ? rc : 1;
}

/* Directories that programs count on, whether the traced run touched them or not. */
static int basic_directories(const struct launch_view *view, struct launch_ops *ops,
			     struct sb_err *err)
{
	const struct {
		const char *path;
		mode_t mode;
	} rows[] = {
		{"/proc", 0555}, {"/dev", 0755},     {"/root", 0700},	    {"/tmp", 01777},
		{"/run", 0755},	 {view->home, 0700}, {view->tmpdir, 01777},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		/* A home or a TMPDIR that cannot be made is the user's mistake, as it is without
		 * us. */
		struct launch_op op = {.kind = LAUNCH_DIR, .mode = rows[i].mode, .optional = true};

		op.dest = (char *)rows[i].path;
		if (!op.dest || op.dest[0] != '/')
			continue;
		int rc = launch_view_add(view, ops, &op, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Where the traced run wrote, and the directory it ran in: the program has to be able to write
 * there. */
static int recorded_directories(const struct launch_view *view, struct launch_ops *ops,
				struct sb_err *err)
{
	const struct launch_entry *entry = view->entry;

	for (size_t i = 0; i < entry->writable.count; i++) {
		struct launch_op op = {.kind = LAUNCH_COPY, .mode = 0755};

		op.dest = (char *)entry->writable.items[i];
		int rc = launch_view_add(view, ops, &op, err);
		if (rc < 0)
			return rc;
	}
	if (!entry->cwd)
		return 0;
	for (size_t i = 0; view->plan && i < view->plan->private_dirs.count; i++) {
		struct launch_op op = {
			.kind = LAUNCH_DIR, .mode = 0700, .exact = true, .optional = true};

		op.dest = (char *)view->plan->private_dirs.items[i];
		int rc = launch_view_add(view, ops, &op, err);
		if (rc < 0)
			return rc;
	}
	struct launch_op op = {.kind = LAUNCH_DIR, .mode = 0755, .dest = (char *)entry->cwd};
	int rc = launch_view_add(view, ops, &op, err);
	return rc < 0 ? rc : 0;
}

int launch_view_plan(const struct launch_view *view, struct launch_ops *ops,
		     struct sb_buf *ret_start, struct sb_err *err)
{
	int rc = basic_directories(view, ops, err);

	if (rc == 0)
		rc = recorded_directories(view, ops, err);
	if (rc == 0)
		rc = launch_view_devices(view, ops, err);
	/* Over the devices: a home may lie in /dev/shm. Under the files: it may lie in /etc. */
	if (rc == 0)
		rc = launch_view_binds(view, ops, err);
	if (rc == 0)
		rc = launch_view_files(view, ops, err);
	if (rc < 0)
		return rc;
	const char *start = view->entry->cwd ? view->entry->cwd : view->cwd;
	return sb_buf_set(ret_start, start ? start : "/") < 0
		       ? sb_fail(err, ENOMEM, "choose a directory to start in")
		       : 0;
}
