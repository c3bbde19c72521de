#include "launcher/bwrap_args.h"

#include <string.h>
#include <unistd.h>

/* MAX_ARGS of bubblewrap's sources, less what stands on its command line. */
enum { ARGS_MOST = 8990 };

struct args {
	struct sb_buf *out;
	size_t count;
	int rc;
};

/* Errors stick: looked at once, at the end. */
static void add(struct args *args, const char *arg)
{
	if (!arg || args->rc < 0)
		return;
	args->rc = sb_buf_add(args->out, arg, strlen(arg) + 1);
	args->count++;
}

static void add_op(struct args *args, const char *option, const char *source, const char *dest)
{
	add(args, option);
	add(args, source);
	add(args, dest);
}

static int bind_part(const char *from, const char *to, void *arg, struct sb_err *err)
{
	(void)err;
	add_op(arg, "--ro-bind", from, to + strlen("upper"));
	return 0;
}

/* A mount, or what lies in a LAUNCH_TMPFS. Mount points bubblewrap makes itself. */
static void add_late(struct args *args, const struct launch_op *op)
{
	switch (op->kind) {
	case LAUNCH_BIND:
		add_op(args, op->optional ? "--dev-bind-try" : "--dev-bind", op->source, op->dest);
		break;
	case LAUNCH_SHOW:
		add_op(args, op->optional ? "--ro-bind-try" : "--ro-bind", op->source, op->dest);
		break;
	case LAUNCH_PROC:
		/* A fresh one takes a PID namespace; this machine's is as good. */
		add_op(args, "--dev-bind", "/proc", op->dest);
		break;
	case LAUNCH_TMPFS:
		add_op(args, "--tmpfs", NULL, op->dest);
		break;
	case LAUNCH_DIR:
		add_op(args, "--dir", NULL, op->dest);
		break;
	case LAUNCH_LINK:
		add_op(args, "--symlink", op->source, op->dest);
		break;
	default:
		break;
	}
}

int launch_bwrap_args(const struct launch_layer *layer, const struct launch_ops *ops, bool own_net,
		      struct sb_buf *ret, struct sb_err *err)
{
	auto_buf upper = SB_BUF_INIT;
	struct args args = {.out = ret};

	if (sb_buf_printf(&upper, "%s/upper", layer->path.s) < 0)
		return sb_fail(err, ENOMEM, "make bubblewrap's arguments");
	if (own_net)
		add(&args, "--unshare-net");
	/* Root would lose them: it is root with us, and without. */
	if (geteuid() == 0)
		add_op(&args, "--cap-add", NULL, "ALL");
	add_op(&args, "--bind", upper.s, "/");
	int rc = launch_layer_parts(layer, "upper", bind_part, &args, err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < ops->count; i++)
		if (launch_ops_is_late(ops, i))
			add_late(&args, &ops->items[i]);
	if (args.rc < 0)
		return sb_fail(err, ENOMEM, "make bubblewrap's arguments");
	if (args.count > ARGS_MOST)
		return sb_fail(err, SB_ESAID,
			       "the view takes %zu arguments, more than bubblewrap reads: bind "
			       "less (SIDEBUNDLE_BIND), or set SIDEBUNDLE_RUN_MODE=auto",
			       args.count);
	return 0;
}
