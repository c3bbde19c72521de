#include "tools/kinds.h"

#include <stdio.h>
#include <string.h>

#include "tracer/event.h"

int sb_kinds_parse(const struct sb_strings *lists, unsigned *ret, struct sb_err *err)
{
	unsigned set = 0;

	for (size_t i = 0; i < lists->count; i++) {
		for (const char *p = lists->items[i]; p;) {
			char name[32];
			size_t len = strcspn(p, ",");

			(void)snprintf(name, sizeof name, "%.*s", len < 31 ? (int)len : 31, p);
			int kind = sb_kind_parse(name);
			if (kind < 0)
				return sb_fail(err, SB_EUSAGE,
					       "--kind: '%s' is none of exec, open, load, search, "
					       "stat, readlink, list, write, connect",
					       name);
			set |= 1u << kind;
			p = p[len] ? p + len + 1 : NULL;
		}
	}
	if (set & 1u << SB_OPEN)
		set |= 1u << SB_LOAD;
	*ret = set ? set : ~0u;
	return 0;
}
