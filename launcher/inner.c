#include "launcher/inner.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/cleanup.h"

/* The message: this, then NUL-terminated strings. Both ends are the same program. */
struct header {
	struct launch_inner inner; /* its pointer means nothing */
	mode_t mask;
	bool start_needed;
	size_t argc, envc, modes;
};

/* Directories in a LAUNCH_TMPFS, where old versions of the program in between know no modes. */
static bool has_mode(const struct launch_ops *ops, size_t i)
{
	return ops->items[i].kind == LAUNCH_DIR && ops->items[i].mode != 0755 &&
	       launch_ops_is_late(ops, i);
}

static int add(struct sb_buf *buf, const char *s)
{
	return sb_buf_add(buf, s, strlen(s) + 1);
}

static int add_all(struct sb_buf *buf, const struct sb_strings *list)
{
	int rc = 0;

	for (size_t i = 0; i < list->count && rc == 0; i++)
		rc = add(buf, list->items[i]);
	return rc;
}

int launch_inner_pack(const struct launch_inner *inner, const struct launch_request *request,
		      const struct launch_session *session, struct sb_buf *ret, struct sb_err *err)
{
	const struct launch_ops *ops = &session->ops;
	struct header header = {
		.inner = *inner,
		.mask = session->mask,
		.start_needed = request->entry->cwd != NULL,
		.argc = session->argv.count,
		.envc = session->environment.count,
	};

	for (size_t i = 0; i < ops->count; i++)
		header.modes += has_mode(ops, i);
	int rc = sb_buf_add(ret, &header, sizeof header);
	for (size_t i = 0; i < ops->count && rc == 0; i++)
		if (has_mode(ops, i) && sb_buf_add(ret, &ops->items[i].mode, sizeof(mode_t)) == 0)
			rc = add(ret, ops->items[i].dest);
	if (rc == 0)
		rc = add(ret, inner->watch);
	if (rc == 0)
		rc = add(ret, session->start.s);
	if (rc == 0)
		rc = add(ret, session->file);
	if (rc == 0)
		rc = add(ret, request->entry->exec);
	if (rc == 0)
		rc = add_all(ret, &session->argv);
	if (rc == 0)
		rc = add_all(ret, &session->environment);
	return rc < 0 ? sb_fail(err, ENOMEM, "tell what to start") : 0;
}

int launch_inner_fd(const char *execfn, char *const *argv)
{
	const char own[] = "/proc/self/fd/";

	if (!execfn || strncmp(execfn, own, sizeof own - 1) != 0 || !argv[0] ||
	    strcmp(argv[0], execfn) != 0 || !argv[1] || strcmp(argv[1], LAUNCH_INNER_WORD) != 0 ||
	    !argv[2])
		return -1;
	return atoi(argv[2]);
}

static int slurp(int fd, struct sb_buf *ret, struct sb_err *err)
{
	char piece[4096];
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return sb_fail(err, errno, "read what to start");
	while ((n = read(fd, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && sb_buf_add(ret, piece, (size_t)n) < 0)
			return sb_fail(err, ENOMEM, "read what to start");
	return n < 0 || ret->len < sizeof(struct header)
		       ? sb_fail(err, SB_ESAID, "what to start is cut short")
		       : 0;
}

/* The next string; its end is known to be there, as we wrote it. */
static const char *next(const char **at)
{
	const char *s = *at;

	*at = s + strlen(s) + 1;
	return s;
}

static void set_modes(const char **at, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		mode_t mode;

		memcpy(&mode, *at, sizeof mode);
		*at += sizeof mode;
		(void)chmod(next(at), mode); /* the caller is its owner, and needs no more */
	}
}

/* Both sides say who they are. When the outer one has answered, it is our parent. */
static int meet(int socket, struct sb_err *err)
{
	pid_t own = getpid(), parent = 0;
	ssize_t n;

	if (write(socket, &own, sizeof own) != (ssize_t)sizeof own)
		return sb_fail(err, errno, "tell that we are there");
	while ((n = read(socket, &parent, sizeof parent)) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof parent)
		return sb_fail(err, SB_ESAID, "the outer launcher is gone");
	/* SIGKILL meant for the program hits the outer one, which cannot pass it on. */
	if (parent == getppid())
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	return 0;
}

static void let_go(const struct launch_inner *inner)
{
	const int fds[] = {inner->self, inner->socket, inner->reaper.socket, inner->reaper.inotify};

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			(void)fcntl(fds[i], F_SETFD, FD_CLOEXEC);
	if (inner->said >= 0)
		(void)dup3(inner->said, STDERR_FILENO, 0);
	else
		(void)close(STDERR_FILENO);
	if (inner->said > STDERR_FILENO)
		(void)close(inner->said);
}

static int take(struct sb_strings *list, const char **at, size_t count, struct sb_err *err)
{
	for (size_t i = 0; i < count; i++)
		if (sb_strings_add(list, next(at)) < 0)
			return sb_fail(err, ENOMEM, "read what to start");
	return 0;
}

int launch_inner_run(int fd, struct sb_err *err)
{
	auto_buf message = SB_BUF_INIT;
	struct sb_strings argv = {NULL, 0, 0}, environment = {NULL, 0, 0};
	struct sb_err ignored = SB_ERR_INIT;
	struct header header;
	int rc = slurp(fd, &message, err);

	if (rc < 0)
		return rc;
	(void)close(fd);
	memcpy(&header, message.s, sizeof header);
	rc = meet(header.inner.socket, err);
	if (rc < 0)
		return rc;
	let_go(&header.inner);
	const char *at = message.s + sizeof header;
	(void)umask(0);
	set_modes(&at, header.modes);
	const char *watch = next(&at), *start = next(&at), *file = next(&at), *seen = next(&at);
	/* Without, the directory stays: no reason not to start. */
	if (header.inner.reaper.socket >= 0)
		(void)launch_reaper_watch(&header.inner.reaper, watch, &ignored);
	rc = take(&argv, &at, header.argc, err);
	if (rc == 0)
		rc = take(&environment, &at, header.envc, err);
	if (rc == 0 && (chdir("/") < 0 || chdir(start) < 0) && header.start_needed)
		rc = sb_fail(err, errno, "go to the recorded directory '%s'", start);
	if (header.inner.ignore_children)
		(void)signal(SIGCHLD, SIG_IGN);
	(void)umask(header.mask);
	if (rc == 0)
		rc = launch_exec(file, seen, sb_strings_list(&argv), sb_strings_list(&environment),
				 err);
	return rc;
}
