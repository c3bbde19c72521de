/* The program behind every bin/ENTRY: finds its bundle, chooses a run mode, becomes the program. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/namespace.h"
#include "common/needs.h"
#include "launcher/bundle.h"
#include "launcher/inner.h"
#include "launcher/mode.h"
#include "launcher/plan.h"

extern char **environ;

/* In one write: several bundles may share a terminal. */
static void say(const struct sb_err *err)
{
	char line[sizeof err->msg + 300] = "sidebundle: ";
	size_t len = strlen(line);

	sb_err_line(err, line + len, sizeof line - len - 1);
	len = strlen(line);
	line[len++] = '\n';
	(void)!write(STDERR_FILENO, line, len); /* nobody is left to be told */
}

static int fail(const struct sb_err *err)
{
	say(err);
	switch (err->code) {
	case LAUNCH_NOT_FOUND:
		return 127;
	case LAUNCH_NOT_RUNNABLE:
		return 126;
	default:
		return 125;
	}
}

/*
 * Whoever starts it chooses what it binds, and where: with rights that are lent to whoever starts
 * it, that is to be root. A security module may ask for secure execution, too, and lends nothing.
 */
static int refuse_lent(struct sb_err *err)
{
	if (getuid() == geteuid() && getgid() == getegid() &&
	    (getuid() == 0 || !getauxval(AT_SECURE) || !sb_rights_any()))
		return 0;
	return sb_fail(err, SB_ESAID,
		       "the launcher is set-id, or has capabilities: a bundle runs with its "
		       "caller's rights only; take them from the file (chmod ug-s, setcap -r)");
}

static bool verbose(void)
{
	const char *value = getenv("SIDEBUNDLE_VERBOSE");

	return value && *value && strcmp(value, "0") != 0;
}

static void say_mode(const struct launch_mode *mode, const char *by, const struct sb_err *why)
{
	struct sb_err line = SB_ERR_INIT;

	(void)sb_fail(&line, SB_ESAID, "%s mode (%s)%s%s", mode->name, by, why->code ? ": " : "",
		      why->msg);
	say(&line);
}

static int run(struct launch_request *request, struct sb_err *err)
{
	const char *asked = getenv("SIDEBUNDLE_RUN_MODE");
	const char *by = asked && *asked ? "by SIDEBUNDLE_RUN_MODE" : "the bundle's own";
	const char *name = asked && *asked ? asked : request->plan->mode;
	const struct launch_mode *mode = &launch_mode_inside;
	struct sb_err why = SB_ERR_INIT;
	struct utsname machine;
	char cwd[PATH_MAX];
	int rc = 0;

	/* Deleted, or outside of our root: "(unreachable)/...". */
	if (getcwd(cwd, sizeof cwd) && cwd[0] == '/')
		request->cwd = cwd;
	bool inside = strcmp(name, launch_mode_host.name) != 0 && launch_is_inside(request);
	/* Nothing is tried for a view that is there; but what is no mode stays none. */
	if (!inside || strcmp(name, "auto") != 0)
		rc = launch_mode_choose(name, &mode, &why, err);
	if (rc < 0)
		return rc;
	if (inside) {
		mode = &launch_mode_inside;
		by = "the view is there";
	}
	if (verbose())
		say_mode(mode, by, &why);
	if (uname(&machine) == 0)
		rc = sb_needs_kernel(request->plan->kernel, machine.release, err);
	if (rc == 0)
		rc = sb_needs_cpu(request->plan->cpu, err);
	if (rc == 0)
		rc = mode->run(request, err);
	return sb_wrap(err, "%s mode", mode->name);
}

int main(int argc, char **argv)
{
	struct sb_err err = SB_ERR_INIT;
	struct launch_plan plan = {NULL};
	struct sb_buf dir = SB_BUF_INIT, name = SB_BUF_INIT, payload = SB_BUF_INIT;
	const char *execfn = (const char *)getauxval(AT_EXECFN);

	(void)argc;
	if (refuse_lent(&err) < 0)
		return fail(&err);
	int inner = launch_inner_fd(execfn, argv);
	if (inner >= 0) {
		(void)launch_inner_run(inner, &err);
		(void)sb_wrap(&err, "bwrap mode");
		return fail(&err);
	}
	if (launch_bundle_find("/proc/self/exe", execfn, &dir, &name, &err) < 0)
		return fail(&err);
	if (launch_plan_read(dir.s, &plan, &err) < 0)
		return fail(&err);
	if (sb_buf_printf(&payload, "%s/payload", dir.s[1] ? dir.s : "") < 0) {
		(void)sb_fail(&err, ENOMEM, "start");
		return fail(&err);
	}
	struct launch_request request = {
		.bundle = dir.s,
		.payload = payload.s,
		.plan = &plan,
		.entry = launch_plan_find(&plan, name.s),
		.argv = argv,
		.environment = environ,
	};
	if (!request.entry) {
		(void)sb_fail(&err, LAUNCH_NOT_FOUND,
			      "the bundle '%s' has no entry '%s' (was it renamed?)", dir.s, name.s);
		return fail(&err);
	}
	(void)run(&request, &err);
	return fail(&err);
}
