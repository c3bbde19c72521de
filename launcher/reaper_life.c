#include "launcher/reaper_life.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "launcher/process.h"
#include "launcher/sweep.h"
#include "launcher/tree.h"
#include "launcher/users.h"

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

/* A process of a strange name without a terminal, that no signal reaches but SIGKILL. */
static long hide(const struct launch_reaper_life *life)
{
	const int keep[] = {life->socket, life->inotify, life->pidfd, life->hold};
	const unsigned long all = ~0ul; /* 64 signals */

	(void)sb_arch_syscall(SYS_rt_sigprocmask, 0 /* SIG_BLOCK */, (long)&all, 0, 8, 0, 0);
	let_go(keep, sizeof keep / sizeof *keep);
	(void)launch_raw(SYS_prctl, PR_SET_NAME, (long)"sidebundle-reap", 0);
	return launch_raw(SYS_chdir, (long)"/", 0, 0);
}

/* Takes what came along with a piece of a message. */
static void take_descriptors(struct launch_reaper_life *life, struct msghdr *head)
{
	const struct cmsghdr *control = CMSG_FIRSTHDR(head);
	int fds[2];

	if (!control || control->cmsg_type != SCM_RIGHTS ||
	    control->cmsg_len != CMSG_LEN(sizeof fds))
		return;
	memcpy(fds, CMSG_DATA(control), sizeof fds);
	life->namespace = fds[0];
	life->program = fds[1];
}

/* Until whoever tells has become another program, or has ended. */
static void hear(struct launch_reaper_life *life)
{
	long n;

	do {
		_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))];
		struct iovec piece = {life->messages + life->told,
				      sizeof life->messages - life->told};
		struct msghdr head = {.msg_iov = &piece,
				      .msg_iovlen = 1,
				      .msg_control = control,
				      .msg_controllen = sizeof control};

		n = launch_raw(SYS_recvmsg, life->socket, (long)&head, MSG_CMSG_CLOEXEC);
		if (n <= 0)
			continue;
		life->told += (size_t)n;
		take_descriptors(life, &head);
	} while (n > 0 || n == -EINTR);
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

/* A pidfd, or the directory about a process, which nobody wakes us for. */
static void wait_exit(int pidfd)
{
	const struct timespec moment = {.tv_nsec = 100 * 1000 * 1000};
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	while (p.revents & POLLNVAL && faccessat(pidfd, "stat", F_OK, 0) == 0)
		(void)nanosleep(&moment, NULL); /* shorter is fine */
}

/* Nobody tells when the last one is gone that the program has left behind: less often the longer it
 * takes. */
static void wait_users(const struct launch_reaper_life *life)
{
	const char *end = life->messages + life->told;
	struct timespec pause = {.tv_nsec = 100 * 1000 * 1000};

	for (const char *m = life->messages; m < end; m += strlen(m) + 1)
		while (m[0] == LAUNCH_TELL_REMOVE && launch_has_users(m + 1)) {
			(void)nanosleep(&pause, NULL);
			if (pause.tv_sec < 2)
				pause = (struct timespec){.tv_sec = pause.tv_sec + 1};
		}
}

static void clean(const char *message)
{
	const char *dir = message + 1;

	if (message[0] == LAUNCH_TELL_REMOVE) {
		launch_tree_remove(AT_FDCWD, dir);
		launch_layer_sweep(dir);
	}
	for (int i = 0; message[0] == LAUNCH_TELL_KEEP && own_parts[i]; i++) {
		auto_buf part = SB_BUF_INIT;

		if (sb_buf_printf(&part, "%s/%s", dir, own_parts[i]) == 0)
			launch_tree_remove(AT_FDCWD, part.s);
	}
}

/* From here on all memory is ours. */
static void reap(const struct launch_reaper_life *life)
{
	const char *end = life->messages + life->told;
	bool watching = false;

	for (const char *m = life->messages; m < end; m += strlen(m) + 1) {
		watching = watching || m[0] == LAUNCH_TELL_WATCHING;
		/* Where it cannot be held, nothing is swept up either. */
		if (m[0] == LAUNCH_TELL_REMOVE)
			(void)launch_layer_hold(m + 1);
	}
	/* What it has started may go on in the namespace, which then stays. */
	if (life->namespace >= 0) {
		wait_exit(life->program);
		(void)close(life->namespace);
	}
	if (watching && life->inotify >= 0)
		wait_unmount(life->inotify);
	else if (life->pidfd >= 0) {
		wait_exit(life->pidfd);
		wait_users(life);
	}
	for (const char *m = life->messages; m < end; m += strlen(m) + 1)
		clean(m);
}

int launch_reaper_live(void *arg)
{
	struct launch_reaper_life *life = arg;

	if (hide(life) == 0) {
		hear(life);
		/* A message that is cut short is none: its sender failed, and has said so. */
		while (life->told && life->messages[life->told - 1])
			life->told--;
		reap(life);
	}
	_exit(0);
}
