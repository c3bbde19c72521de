/*
 * A root without a single mount: the payload is copied, and of this machine what can be copied, the
 * files that every machine has its own of and the devices. Directories of the caller cannot.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "launcher/layer.h"
#include "launcher/tree.h"

/* An optional operation that fails is left out: so is what nobody can do without mounts. */
static void copy_file(const struct launch_layer *layer, const struct launch_op *op)
{
	char piece[4096];
	ssize_t n;

	auto_fd int in = open(op->source, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	auto_fd int out = openat(layer->upper, launch_inside(op->dest),
				 O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (in < 0 || out < 0)
		return;
	while ((n = read(in, piece, sizeof piece)) > 0)
		if (write(out, piece, (size_t)n) != n)
			return;
}

static void make_device(const struct launch_layer *layer, const struct launch_op *op,
			const struct stat *st)
{
	if (mknodat(layer->upper, launch_inside(op->dest), (st->st_mode & S_IFMT) | 0600,
		    st->st_rdev) == 0)
		(void)fchmodat(layer->upper, launch_inside(op->dest), st->st_mode & 0777, 0);
}

static void copy_late(const struct launch_layer *layer, const struct launch_op *op)
{
	struct stat st;

	switch (op->kind) {
	case LAUNCH_BIND:
	case LAUNCH_SHOW:
		if (stat(op->source, &st) < 0)
			break;
		if (S_ISCHR(st.st_mode))
			make_device(layer, op, &st);
		else if (op->kind == LAUNCH_SHOW && S_ISREG(st.st_mode))
			copy_file(layer, op);
		break;
	case LAUNCH_DIR:
		if (mkdirat(layer->upper, launch_inside(op->dest), 0700) == 0)
			(void)fchmodat(layer->upper, launch_inside(op->dest), op->mode, 0);
		break;
	case LAUNCH_LINK:
		(void)symlinkat(op->source, layer->upper, launch_inside(op->dest));
		break;
	default:
		break;
	}
}

int launch_layer_copy(const struct launch_layer *layer, const struct launch_ops *ops,
		      struct sb_err *err)
{
	int rc = launch_tree_copy(layer->payload_fd, layer->upper, 0200, err);

	if (rc < 0)
		return sb_wrap(err, "copy the payload to '%s'", layer->path.s);
	for (size_t i = 0; i < ops->count; i++)
		if (launch_ops_is_late(ops, i))
			copy_late(layer, &ops->items[i]);
	return 0;
}
