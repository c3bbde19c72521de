#include "launcher/reaper.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "common/fork.h"
#include "launcher/process.h"
#include "launcher/sweep.h"
#include "launcher/tree.h"

/* Messages on the socket: one of these, then a directory's path, then NUL. */
enum { TELL_REMOVE = '-', TELL_KEEP = '=', TELL_WATCHING = '!' };

static const char *const own_parts[] = {"lower", "work", NULL};

/* Everything but `keep`: no terminal and no pipeline is held open by us. */
static void let_go(const int *keep, size_t count)
{
	unsigned next = 0;

	for (;;) {
		int lowest = -1;

		for (size_t i = 0; i < count; i++)
			if (keep[i] >= (int)next && (lowest < 0 || keep[i] < lowest))
				lowest = keep[i];
		if (lowest < 0)
			break;
		launch_close_range(next, (unsigned)lowest - 1, lowest > (int)next);
		next = (unsigned)lowest + 1;
	}
	launch_close_range(next, ~0u, true);
}

/* Returns when the file system that is watched was unmounted for good. */
static void wait_unmount(int inotify)
{
	_Alignas(struct inotify_event) char events[4096];
	ssize_t n;

	while ((n = read(inotify, events, sizeof events)) > 0 || (n < 0 && errno == EINTR)) {
		for (ssize_t at = 0; at < n;) {
			const struct inotify_event *ev = (const void *)(events + at);

			if (ev->mask & (IN_UNMOUNT | IN_IGNORED))
				return;
			at += (ssize_t)sizeof *ev + ev->len;
		}
	}
}

static void wait_exit(int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
}

static void clean(const char *message)
{
	const char *dir = message + 1;

	if (message[0] == TELL_REMOVE) {
		launch_tree_remove(AT_FDCWD, dir);
		launch_layer_sweep(dir);
	}
	for (int i = 0; message[0] == TELL_KEEP && own_parts[i]; i++) {
		auto_buf part = SB_BUF_INIT;

		if (sb_buf_printf(&part, "%s/%s", dir, own_parts[i]) == 0)
			launch_tree_remove(AT_FDCWD, part.s);
	}
}

static void reap(int socket_fd, int inotify, int pidfd)
{
	auto_buf told = SB_BUF_INIT;
	char piece[512];
	bool watching = false;
	ssize_t n;

	while ((n = read(socket_fd, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && sb_buf_add(&told, piece, (size_t)n) < 0)
			return;
	for (const char *m = told.s; m && m < told.s + told.len; m += strlen(m) + 1) {
		watching = watching || m[0] == TELL_WATCHING;
		/* Where it cannot be held, nothing is swept up either. */
		if (m[0] == TELL_REMOVE)
			(void)launch_layer_hold(m + 1);
	}
	if (watching && inotify >= 0)
		wait_unmount(inotify);
	else if (pidfd >= 0)
		wait_exit(pidfd);
	for (const char *m = told.s; m && m < told.s + told.len; m += strlen(m) + 1)
		clean(m);
}

/* The descriptors of a reaper's whole life; -1 where there is none. */
struct life {
	int socket, inotify, pidfd, hold;
};

static void live(const struct life *life)
{
	const int keep[] = {life->socket, life->inotify, life->pidfd, life->hold};
	sigset_t all;

	sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	let_go(keep, sizeof keep / sizeof *keep);
	(void)prctl(PR_SET_NAME, "sidebundle-reap");
	if (chdir("/") == 0)
		reap(life->socket, life->inotify, life->pidfd);
	_exit(0);
}

/* The reaper's parent: gone at once, so that the program has no child which it did not make. */
static int part(void *arg)
{
	(void)setsid();
	if (sb_fork_silent() == 0)
		live(arg);
	_exit(0);
}

int launch_reaper_start(int hold, bool by_process, struct launch_reaper *ret, struct sb_err *err)
{
	_Alignas(16) char stack[16384];
	int ends[2];
	int status;

	auto_fd int inotify = inotify_init1(IN_CLOEXEC);
	auto_fd int pidfd = -1;
	/* The instances of a user are few, and desktops use them up. */
	if (inotify < 0 || by_process)
		pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	if (inotify < 0 && pidfd < 0)
		return sb_fail(err, errno,
			       "watch for the program's end (inotify: raise "
			       "fs.inotify.max_user_instances)");
	/* No pipe: a reaper that died must not cost us a SIGPIPE. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return sb_fail(err, errno, "make a pair of sockets");
	auto_fd int reader = ends[0];
	auto_fd int writer = ends[1];
	struct life life = {reader, inotify, pidfd, hold};
	/* In our memory, while we wait: it only has to fork. No SIGCHLD: see sb_fork_silent(). */
	pid_t pid = clone(part, stack + sizeof stack, CLONE_VM | CLONE_VFORK, &life);
	if (pid < 0)
		return sb_fail(err, errno, "fork");
	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	ret->socket = sb_steal_fd(&writer);
	ret->inotify = sb_steal_fd(&inotify);
	ret->pidfd = pidfd >= 0;
	return 0;
}

static int tell(const struct launch_reaper *reaper, char what, const char *dir, struct sb_err *err)
{
	auto_buf message = SB_BUF_INIT;
	size_t done = 0;

	if (sb_buf_putc(&message, what) < 0 || sb_buf_add(&message, dir, strlen(dir) + 1) < 0)
		return sb_fail(err, ENOMEM, "tell of '%s'", dir);
	while (done < message.len) {
		ssize_t n =
			send(reaper->socket, message.s + done, message.len - done, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return sb_fail(err, errno, "tell of '%s'", dir);
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

int launch_reaper_add(const struct launch_reaper *reaper, const char *dir, bool keep,
		      struct sb_err *err)
{
	return tell(reaper, keep ? TELL_KEEP : TELL_REMOVE, dir, err);
}

int launch_reaper_watch(const struct launch_reaper *reaper, const char *path, struct sb_err *err)
{
	if (reaper->inotify < 0)
		return 0;
	if (inotify_add_watch(reaper->inotify, path, IN_DELETE_SELF) < 0)
		return sb_fail(err, errno, "watch '%s'", path);
	return tell(reaper, TELL_WATCHING, "", err);
}
