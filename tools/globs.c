#include "tools/globs.h"

#include <errno.h>
#include <string.h>

#include "common/buf.h"
#include "common/path.h"

int sb_globs_read(const struct sb_strings *given, const char *cwd, struct sb_strv *ret,
		  struct sb_err *err)
{
	for (size_t i = 0; i < given->count; i++) {
		auto_buf glob = SB_BUF_INIT;
		bool anywhere = strncmp(given->items[i], "**", 2) == 0;

		if ((anywhere ? sb_buf_puts(&glob, given->items[i])
			      : sb_path_absolute(&glob, cwd, given->items[i])) < 0 ||
		    sb_strv_add(ret, glob.s) < 0)
			return sb_fail(err, ENOMEM, "read the command line");
	}
	return 0;
}
