#include "tracer/backend.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

extern const struct sb_backend sb_backend_hybrid, sb_backend_audit, sb_backend_notify,
	sb_backend_ptrace, sb_backend_fanotify, sb_backend_combined;

const struct sb_backend *const sb_backends[] = {
	&sb_backend_hybrid,
	&sb_backend_audit,
	&sb_backend_notify,
	&sb_backend_ptrace,
	&sb_backend_fanotify,
	&sb_backend_combined,
	NULL,
};

static const struct sb_backend *const automatic[] = {
	&sb_backend_hybrid,
	&sb_backend_ptrace,
	&sb_backend_audit,
};

#define AUTOMATIC (sizeof automatic / sizeof *automatic)
_Static_assert(AUTOMATIC < SB_AUTO_MOST, "there is room for all, and a NULL");

static bool in_doubt(const struct sb_backend *b, struct sb_err *err)
{
	return b->doubt && b->doubt(err) < 0;
}

void sb_backend_auto(const struct sb_backend *ret[SB_AUTO_MOST])
{
	struct sb_err why = SB_ERR_INIT;
	size_t n = 0;

	for (size_t i = 0; i < AUTOMATIC; i++) {
		if (i + 1 < AUTOMATIC && in_doubt(automatic[i], &why)) {
			ret[n++] = automatic[i + 1];
			ret[n++] = automatic[i++];
		} else {
			ret[n++] = automatic[i];
		}
	}
	ret[n] = NULL;
}

const struct sb_backend *sb_backend_find(const char *name)
{
	for (size_t i = 0; sb_backends[i]; i++)
		if (strcmp(sb_backends[i]->name, name) == 0)
			return sb_backends[i];
	return NULL;
}

static int why_not(struct sb_buf *why, const struct sb_backend *b, const struct sb_err *failed)
{
	char line[sizeof failed->msg + 256];

	sb_err_line(failed, line, sizeof line);
	return sb_buf_printf(why, "%snot %s: %s", why->len ? "; " : "", b->name, line);
}

/* Taken before its turn: the one behind it was in doubt. */
static int why_not_next(struct sb_buf *why, const struct sb_backend *next)
{
	struct sb_err doubt = SB_ERR_INIT;

	return next && in_doubt(next, &doubt) ? why_not(why, next, &doubt) : 0;
}

static int choose_any(const struct sb_backend **ret, struct sb_buf *why, struct sb_err *err)
{
	const struct sb_backend *order[SB_AUTO_MOST];

	sb_backend_auto(order);
	for (size_t i = 0; order[i]; i++) {
		struct sb_err failed = SB_ERR_INIT;

		if (order[i]->probe(&failed) == 0) {
			if (why_not_next(why, order[i + 1]) < 0)
				return sb_fail(err, ENOMEM, "choose a backend");
			*ret = order[i];
			return 0;
		}
		if (why_not(why, order[i], &failed) < 0)
			return sb_fail(err, ENOMEM, "choose a backend");
	}
	return sb_fail(err, SB_ESAID, "no way of watching works here: %s (see sidebundle doctor)",
		       sb_buf_str(why));
}

int sb_backend_choose(const char *name, const struct sb_backend **ret, struct sb_buf *ret_why,
		      struct sb_err *err)
{
	const struct sb_backend *b;

	sb_buf_cut(ret_why, 0);
	if (strcmp(name, "auto") == 0)
		return choose_any(ret, ret_why, err);
	b = sb_backend_find(name);
	if (!b)
		return sb_fail(err, SB_EUSAGE, "unknown backend '%s'", name);
	int rc = b->probe(err);
	if (rc == 0)
		*ret = b;
	return rc;
}
