#include "common/bwrap.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/fork.h"

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The first of `dirs` that has the program. 1 found, 0 not. An empty element is "." to execvp(3);
 * here it is nothing. */
static int find_in(const char *dirs, const char *name, struct sb_buf *ret)
{
	for (const char *at = dirs; at && *at;) {
		size_t len = strcspn(at, ":");

		sb_buf_cut(ret, 0);
		if (len && (sb_buf_add(ret, at, len) < 0 || sb_buf_putc(ret, '/') < 0 ||
			    sb_buf_puts(ret, name) < 0))
			return -ENOMEM;
		if (len && is_program(ret->s))
			return 1;
		at += len + (at[len] == ':');
	}
	return 0;
}

int sb_bwrap_find(struct sb_buf *ret, struct sb_err *err)
{
	const char *named = getenv("SIDEBUNDLE_BWRAP");
	bool is_named = named && *named;
	const char *name = is_named ? named : "bwrap";
	int found = 0;

	if (strchr(name, '/')) {
		if (is_program(name))
			return sb_buf_set(ret, name) < 0 ? sb_fail(err, ENOMEM, "find bwrap") : 0;
	} else {
		found = find_in(getenv("PATH"), name, ret);
		if (!found)
			found = find_in("/usr/bin:/bin:/usr/local/bin:/run/current-system/sw/bin",
					name, ret);
	}
	if (found < 0)
		return sb_fail(err, ENOMEM, "find bwrap");
	if (found)
		return 0;
	(void)sb_fail(err, SB_ESAID,
		      is_named ? "SIDEBUNDLE_BWRAP: '%s' is no program: unset it, or name "
				 "bubblewrap's"
			       : "'%s' is not installed: install bubblewrap, name it by "
				 "SIDEBUNDLE_BWRAP, or set SIDEBUNDLE_RUN_MODE=auto",
		      name);
	return -err->code;
}

int sb_bwrap_failed(const char *bwrap, const char *said, struct sb_err *err)
{
	size_t prefix = strncmp(said, "bwrap: ", 7) == 0 ? 7 : 0;

	return sb_fail(err, SB_ESAID,
		       "'%s' failed%s%.*s: set SIDEBUNDLE_RUN_MODE=auto, or see sidebundle doctor "
		       "for what namespaces need here",
		       bwrap, *said ? ": " : "", (int)strcspn(said + prefix, "\n"), said + prefix);
}

/* In a child. Itself is a program that is surely there. */
static void exec_trial(const char *bwrap, int said)
{
	const char *const argv[] = {"bwrap", "--dev-bind", "/", "/", bwrap, "--version", NULL};
	int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (nothing >= 0)
		(void)dup2(nothing, STDOUT_FILENO);
	(void)dup2(said, STDERR_FILENO);
	(void)execv(bwrap, (char *const *)argv);
	_exit(1);
}

int sb_probe_bwrap(struct sb_err *err)
{
	auto_buf bwrap = SB_BUF_INIT;
	auto_buf said = SB_BUF_INIT;
	char piece[512];
	int ends[2], status = -1;
	ssize_t n;
	int rc = sb_bwrap_find(&bwrap, err);

	if (rc < 0)
		return rc;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return sb_fail(err, errno, "make a pipe");
	pid_t pid = sb_fork_silent();
	if (pid == 0)
		exec_trial(bwrap.s, ends[1]);
	close(ends[1]);
	auto_fd int reader = ends[0];
	if (pid < 0)
		return sb_fail(err, errno, "fork");
	while ((n = read(reader, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && sb_buf_add(&said, piece, (size_t)n) < 0)
			break;
	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	return status == 0 ? 0 : sb_bwrap_failed(bwrap.s, sb_buf_str(&said), err);
}
