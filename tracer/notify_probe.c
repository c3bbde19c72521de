#include <errno.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tracer/ask.h"
#include "tracer/listener.h"
#include "tracer/notify.h"

#define ANSWER_MS 2000

/* In the child: the errno of what failed. */
static int ask(int socket)
{
	struct sock_filter code[SB_ASK_FILTER];
	struct sock_fprog prog;
	struct sb_listener_flags flags;

	sb_ask_filter(SECCOMP_RET_USER_NOTIF, code, &prog);
	int listener = sb_listener_make(&prog, &flags);
	int rc = listener < 0 ? listener : sb_listener_send(socket, listener, &flags);

	if (rc < 0)
		return -rc;
	close(listener);
	return sb_ask();
}

/* 0 or -errno: the call was taken, looked at, and let go on. */
static int answer(int listener, bool *ret_memory)
{
	struct pollfd ready = {listener, POLLIN, 0};
	struct sb_listener_room room;
	int rc = sb_listener_room(&room);

	if (rc < 0)
		return rc;
	rc = poll(&ready, 1, ANSWER_MS) > 0 ? sb_listener_take(listener, &room) : -ETIMEDOUT;
	if (rc == 0) {
		*ret_memory = sb_ask_heard((pid_t)room.notif->pid, room.notif->data.args[1]);
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

int sb_notify_probe(const char *who, struct sb_err *err)
{
	bool memory = false;
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
		rc = answer(listener, &memory);
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
	if (!memory)
		return sb_fail(err, SB_ESAID,
			       "backend %s: the memory of a child may not be read, where its paths "
			       "are (Yama: sysctl kernel.yama.ptrace_scope=1; in a container: "
			       "--cap-add SYS_PTRACE); or take -b audit",
			       who);
	return 0;
}

int sb_notify_doubt(struct sb_err *err)
{
	if (sb_listener_killable())
		return 0;
	return sb_fail(err, SB_ESAID,
		       "before Linux 5.19 signals make calls start again that wait to be looked at "
		       "(Go programs may hang): -b ptrace is better here, where it works");
}
