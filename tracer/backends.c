#include "tracer/backend.h"

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

const char *const sb_backend_auto[] = {"hybrid", "ptrace", "audit", NULL};

const struct sb_backend *sb_backend_find(const char *name)
{
	for (size_t i = 0; sb_backends[i]; i++)
		if (strcmp(sb_backends[i]->name, name) == 0)
			return sb_backends[i];
	return NULL;
}

static int choose_any(const struct sb_backend **ret, struct sb_buf *why, struct sb_err *err)
{
	for (size_t i = 0; sb_backend_auto[i]; i++) {
		const struct sb_backend *b = sb_backend_find(sb_backend_auto[i]);
		struct sb_err failed = SB_ERR_INIT;
		char line[sizeof failed.msg + 256];

		if (!b)
			continue;
		if (b->probe(&failed) == 0) {
			*ret = b;
			return 0;
		}
		sb_err_line(&failed, line, sizeof line);
		if (sb_buf_printf(why, "%snot %s: %s", why->len ? "; " : "", b->name, line) < 0)
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
