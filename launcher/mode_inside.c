/* In the view that another entry of the bundle has made: nothing is left to be shown. */
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "launcher/mode.h"
#include "launcher/session.h"
#include "launcher/view.h"

/* Who says what is to be seen, or that there is to be no network, gets a view that is so. */
static bool asks_for_another(const struct launch_request *request)
{
	static const char *const names[] = {"SIDEBUNDLE_BIND", "SIDEBUNDLE_NET",
					    "SIDEBUNDLE_WRITABLE"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (launch_variable(request, names[i]))
			return true;
	return false;
}

bool launch_is_inside(const struct launch_request *request)
{
	struct sb_err ignored = SB_ERR_INIT;
	auto_buf mark = SB_BUF_INIT;
	char found[PATH_MAX];
	ssize_t n = readlink(LAUNCH_VIEW_MARK, found, sizeof found);

	return n > 0 && !asks_for_another(request) &&
	       launch_view_mark(request->bundle, request->payload, &mark, &ignored) == 0 &&
	       mark.len == (size_t)n && memcmp(mark.s, found, mark.len) == 0;
}

static int run(const struct launch_request *request, struct sb_err *err)
{
	struct launch_session session = LAUNCH_SESSION_INIT;
	const char *start = request->entry->cwd ? request->entry->cwd : ".";
	int rc = launch_session_command(request, &session, err);

	if (rc == 0 && sb_buf_set(&session.start, start) < 0)
		rc = sb_fail(err, ENOMEM, "choose a directory to start in");
	if (rc == 0)
		rc = launch_session_exec(request, &session, err);
	launch_session_free(&session);
	return rc;
}

const struct launch_mode launch_mode_inside = {"inside", NULL, run};
