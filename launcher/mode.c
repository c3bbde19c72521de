#include "launcher/mode.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What auto may take comes first, the strictest before the others. */
static const struct launch_mode *const modes[] = {&launch_mode_namespace, &launch_mode_host,
						  &launch_mode_bwrap, &launch_mode_chroot, NULL};

int launch_mode_choose(const char *name, const struct launch_mode **ret, struct sb_err *ret_why,
		       struct sb_err *err)
{
	bool choose = strcmp(name, "auto") == 0;
	struct sb_err why = SB_ERR_INIT;

	for (size_t i = 0; modes[i]; i++) {
		if (!choose && strcmp(modes[i]->name, name) != 0)
			continue;
		if (choose && modes[i]->probe && modes[i]->probe(&why) < 0) {
			(void)sb_wrap(&why, "not %s", modes[i]->name);
			continue;
		}
		*ret = modes[i];
		*ret_why = why;
		return 0;
	}
	return sb_fail(err, SB_ESAID,
		       "there is no run mode '%s': set SIDEBUNDLE_RUN_MODE to host, namespace, "
		       "bwrap, chroot or auto",
		       name);
}

int launch_exec(const char *path, const char *seen, char *const *argv, char *const *environment,
		struct sb_err *err)
{
	struct stat st;

	(void)execve(path, argv, environment);
	int code = errno;
	if (stat(path, &st) < 0 && (errno == ENOENT || errno == ENOTDIR))
		return sb_fail(err, LAUNCH_NOT_FOUND,
			       "'%s' is not in the bundle: make the bundle again", seen);
	if (code == ENOENT)
		return sb_fail(
			err, LAUNCH_NOT_RUNNABLE,
			"cannot execute '%s': the interpreter that it names is not in the bundle",
			seen);
	return sb_fail(err, LAUNCH_NOT_RUNNABLE, "cannot execute '%s': %s", seen, strerror(code));
}
