#include "launcher/reaper.h"

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "launcher/reaper_life.h"

/* With its stack, of which a tree that it removes takes some for each level. */
enum { ROOM = 1 << 20 };

/* The reaper's parent: gone at once, so that the program has no child which it did not make. */
static int part(void *arg)
{
	struct launch_reaper_life *life = arg;

	(void)setsid();
	/* No SIGCHLD to whom it is given: see sb_fork_silent(). */
	(void)clone(launch_reaper_live, (char *)life + ROOM, life->apart ? 0 : CLONE_VM, life);
	_exit(0);
}

/* In our memory, while we wait: it only has to start another one. */
static int start_parent(struct launch_reaper_life *life, struct sb_err *err)
{
	_Alignas(16) char stack[16384];
	int status;
	pid_t pid = clone(part, stack + sizeof stack, CLONE_VM | CLONE_VFORK, life);

	if (pid < 0)
		return sb_fail(err, errno, "fork");
	while (waitpid(pid, &status, __WALL) < 0 && errno == EINTR)
		;
	return 0;
}

/* What tells of our end where there are no pidfds: the kernel's directory about us. */
static int own_directory(void)
{
	return open("/proc/self/", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int launch_reaper_start(const struct launch_reaper_way *way, struct launch_reaper *ret,
			struct sb_err *err)
{
	int ends[2];

	auto_fd int inotify = inotify_init1(IN_CLOEXEC);
	auto_fd int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
	/* Before Linux 4.3, who shares memory gets no user namespace: pidfds are younger. */
	bool old = pidfd < 0;
	if (old)
		pidfd = own_directory();
	/* The instances of a user are few, and desktops use them up. */
	if (inotify < 0 && pidfd < 0)
		return sb_fail(err, errno,
			       "watch for the program's end (inotify: raise "
			       "fs.inotify.max_user_instances)");
	/* No pipe: a reaper that died must not cost us a SIGPIPE. */
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return sb_fail(err, errno, "make a pair of sockets");
	auto_fd int reader = ends[0];
	auto_fd int writer = ends[1];
	struct launch_reaper_life *life = mmap(NULL, ROOM, PROT_READ | PROT_WRITE,
					       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (life == MAP_FAILED)
		return sb_fail(err, errno, "make room for another process");
	life->socket = reader;
	life->inotify = inotify;
	life->pidfd = inotify < 0 || way->by_process ? pidfd : -1;
	life->hold = way->hold;
	life->namespace = life->program = -1;
	life->apart = way->apart || old;
	int rc = start_parent(life, err);
	if (rc < 0)
		return rc;
	ret->socket = sb_steal_fd(&writer);
	ret->inotify = sb_steal_fd(&inotify);
	ret->pidfd = life->pidfd >= 0;
	/* The program's end is to be the end of that, and the next run waits for a moment only. */
	ret->holds = way->hold < 0;
	return 0;
}

static int tell(const struct launch_reaper *reaper, enum launch_reaper_tell what, const char *dir,
		struct sb_err *err)
{
	auto_buf message = SB_BUF_INIT;
	size_t done = 0;

	if (sb_buf_putc(&message, (char)what) < 0 || sb_buf_add(&message, dir, strlen(dir) + 1) < 0)
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
	return tell(reaper, keep ? LAUNCH_TELL_KEEP : LAUNCH_TELL_REMOVE, dir, err);
}

/* The namespace and us, for it to hold. Where one cannot be had, the program's end waits. */
static bool give_namespace(const struct launch_reaper *reaper)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = {0};
	char message[2] = {LAUNCH_TELL_WATCHING, '\0'};
	struct iovec piece = {message, sizeof message};
	struct msghdr head = {.msg_iov = &piece,
			      .msg_iovlen = 1,
			      .msg_control = control,
			      .msg_controllen = sizeof control};
	auto_fd int namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	auto_fd int program = namespace < 0 ? -1 : (int)syscall(SYS_pidfd_open, getpid(), 0);
	const int fds[2] = {namespace, program};
	struct cmsghdr *rights = CMSG_FIRSTHDR(&head);

	if (program < 0)
		return false;
	rights->cmsg_level = SOL_SOCKET;
	rights->cmsg_type = SCM_RIGHTS;
	rights->cmsg_len = CMSG_LEN(sizeof fds);
	memcpy(CMSG_DATA(rights), fds, sizeof fds);
	return sendmsg(reaper->socket, &head, MSG_NOSIGNAL) == (ssize_t)sizeof message;
}

int launch_reaper_watch(const struct launch_reaper *reaper, const char *path, struct sb_err *err)
{
	if (reaper->inotify < 0)
		return 0;
	if (inotify_add_watch(reaper->inotify, path, IN_DELETE_SELF) < 0)
		return sb_fail(err, errno, "watch '%s'", path);
	return reaper->holds && give_namespace(reaper)
		       ? 0
		       : tell(reaper, LAUNCH_TELL_WATCHING, "", err);
}
