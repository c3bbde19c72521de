/* In the view that another entry of the bundle has made: nothing is left to be shown. */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "launcher/mode.h"
#include "launcher/session.h"
#include "launcher/view.h"

bool launch_is_inside(const struct launch_request *request)
{
	struct sb_err ignored = SB_ERR_INIT;
	auto_buf mark = SB_BUF_INIT;
	char found[PATH_MAX];
	ssize_t n = readlink(LAUNCH_VIEW_MARK, found, sizeof found);

	/* A replay has its own directories, which are not to be the ones that others see. */
	return n > 0 && !request->entry->cwd &&
	       launch_session_mark(request, &mark, &ignored) == 0 && mark.len == (size_t)n &&
	       memcmp(mark.s, found, mark.len) == 0;
}

static int run(const struct launch_request *request, struct sb_err *err)
{
	struct launch_session session = LAUNCH_SESSION_INIT;
	int rc = launch_session_command(request, &session, err);

	if (rc == 0 && sb_buf_set(&session.start, ".") < 0)
		rc = sb_fail(err, ENOMEM, "choose a directory to start in");
	if (rc == 0)
		rc = launch_session_exec(request, &session, err);
	launch_session_free(&session);
	return rc;
}

const struct launch_mode launch_mode_inside = {"inside", NULL, run};
