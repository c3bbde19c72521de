#include "tracer/backend.h"

#include <stddef.h>

extern const struct sb_backend sb_backend_audit;

const struct sb_backend *const sb_backends[] = {
	&sb_backend_audit,
	NULL,
};
