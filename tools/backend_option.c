#include "tools/backend_option.h"

#include <string.h>

#include "common/buf.h"
#include "tracer/backend.h"

int sb_backend_option(const char *option, const char *name, bool off, struct sb_err *err)
{
	auto_buf names = SB_BUF_INIT;

	if (strcmp(name, "auto") == 0 || sb_backend_find(name) || (off && strcmp(name, "off") == 0))
		return 0;
	for (size_t i = 0; sb_backends[i]; i++)
		if (sb_buf_printf(&names, ", %s", sb_backends[i]->name) < 0)
			return sb_fail(err, ENOMEM, "read the command line");
	if (strcmp(name, "off") == 0)
		return sb_fail(err, SB_EUSAGE,
			       "--%s: off runs nothing: for what can be told without running it, "
			       "use deps, or create --from-host without ::trace=",
			       option);
	return sb_fail(err, SB_EUSAGE, "--%s: '%s' is none of auto%s%s", option, name,
		       sb_buf_str(&names), off ? ", off" : "");
}
