#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/cleanup.h"
#include "tracer/decode.h"
#include "tracer/listener.h"
#include "tracer/notify.h"

/* The child names this to the kernel, and we are to read it there. */
static const char asked_for[] = "/a path that only the probe asks for";

#define ANSWER_MS 2000

/* In the child: the errno of what failed. */
static int ask(int socket)
{
	static struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_faccessat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = sizeof code / sizeof *code, .filter = code};
	struct sb_listener_flags flags;
	int listener = sb_listener_make(&prog, &flags);
	int rc = listener < 0 ? listener : sb_listener_send(socket, listener, &flags);

	if (rc < 0)
		return -rc;
	close(listener);
	/* ENOSYS: nobody answered. */
	return syscall(SYS_faccessat, AT_FDCWD, asked_for, F_OK) < 0 && errno == ENOSYS ? ENOSYS
											: 0;
}

/* 0 or -errno: the call was taken, looked at, and let go on. */
static int answer(int listener, struct sb_notify_grants *ret)
{
	struct pollfd ready = {listener, POLLIN, 0};
	struct sb_listener_room room;
	auto_buf path = SB_BUF_INIT;
	int rc = sb_listener_room(&room);

	if (rc < 0)
		return rc;
	rc = poll(&ready, 1, ANSWER_MS) > 0 ? sb_listener_take(listener, &room) : -ETIMEDOUT;
	if (rc == 0) {
		ret->memory = sb_read_string((pid_t)room.notif->pid, room.notif->data.args[1],
					     sizeof asked_for, &path) == 0 &&
			      strcmp(path.s, asked_for) == 0;
		if (!sb_listener_continue(listener, &room, room.notif->id))
			rc = -errno;
	}
	sb_listener_room_free(&room);
	return rc;
}

static int explain(const char *who, int code, struct sb_err *err)
{
	switch (code) {
	case EBUSY:
		return sb_fail(
			err, SB_ESAID,
			"backend %s: somebody listens to our system calls already (a trace "
			"within a trace, or the container engine), and there can be one only: "
			"take -b audit",
			who);
	case EPERM:
	case EACCES:
		return sb_fail(
			err, SB_ESAID,
			"backend %s: seccomp(2) is refused here (in a container: --security-opt "
			"seccomp=unconfined); or take -b audit",
			who);
	case EINVAL:
	case ENOSYS:
		return sb_fail(err, SB_ESAID,
			       "backend %s: this kernel, or the container's profile, lacks seccomp "
			       "notification with CONTINUE (Linux 5.5): take -b audit",
			       who);
	default:
		return sb_fail(err, code, "backend %s: listen to the system calls of a child", who);
	}
}

int sb_notify_probe(const char *who, struct sb_notify_grants *ret, struct sb_err *err)
{
	struct sb_notify_grants grants = {0};
	struct sb_listener_flags flags;
	int pair[2], status = 0, rc = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return sb_fail(err, errno, "backend %s: make a socket", who);
	auto_fd int ours = pair[0];
	auto_fd int its = pair[1];
	pid_t pid = fork();
	if (pid < 0)
		return sb_fail(err, errno, "backend %s: try it in a child", who);
	if (pid == 0)
		_exit(ask(its));
	close(sb_steal_fd(&its));
	auto_fd int listener = sb_listener_receive(ours, &flags);
	if (listener >= 0) {
		grants.killable = flags.killable;
		rc = answer(listener, &grants);
		if (rc < 0)
			(void)kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	if (rc == 0 && WIFEXITED(status))
		rc = -WEXITSTATUS(status);
	if (rc == 0 && !WIFEXITED(status))
		rc = -EPERM; /* a filter above us kills whoever asks */
	if (rc < 0)
		return explain(who, -rc, err);
	*ret = grants;
	return 0;
}
