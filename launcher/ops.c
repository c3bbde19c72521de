#include "launcher/ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/path.h"

int launch_ops_add(struct launch_ops *ops, const struct launch_op *op, struct sb_err *err)
{
	if (ops->count == ops->cap) {
		size_t cap = ops->cap ? ops->cap * 2 : 64;
		struct launch_op *grown = realloc(ops->items, cap * sizeof *grown);

		if (!grown)
			return sb_fail(err, ENOMEM, "plan '%s'", op->dest);
		ops->items = grown;
		ops->cap = cap;
	}
	struct launch_op *own = &ops->items[ops->count];
	*own = *op;
	own->dest = strdup(op->dest);
	own->source = op->source ? strdup(op->source) : NULL;
	if (!own->dest || (op->source && !own->source)) {
		free(own->dest);
		free(own->source);
		return sb_fail(err, ENOMEM, "plan '%s'", op->dest);
	}
	ops->count++;
	return 0;
}

/* By one of the first `count` operations. */
static bool hidden(const struct launch_ops *ops, size_t count, const char *path)
{
	for (size_t i = 0; i < count; i++)
		if (ops->items[i].kind == LAUNCH_TMPFS && sb_path_below(path, ops->items[i].dest))
			return true;
	return false;
}

bool launch_ops_hide(const struct launch_ops *ops, const char *path)
{
	return hidden(ops, ops->count, path);
}

bool launch_ops_is_late(const struct launch_ops *ops, size_t i)
{
	return ops->items[i].kind > LAUNCH_COPY || hidden(ops, i, ops->items[i].dest);
}

const struct launch_op *launch_ops_covering(const struct launch_ops *ops, const char *path)
{
	for (size_t i = ops->count; i-- > 0;) {
		const struct launch_op *op = &ops->items[i];

		if (op->kind == LAUNCH_BIND && strcmp(op->source, op->dest) == 0 &&
		    sb_path_below(path, op->dest))
			return op;
	}
	return NULL;
}

void launch_ops_free(struct launch_ops *ops)
{
	for (size_t i = 0; i < ops->count; i++) {
		free(ops->items[i].source);
		free(ops->items[i].dest);
	}
	free(ops->items);
	*ops = (struct launch_ops){NULL, 0, 0};
}
