#include "tracer/notify.h"

#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "tracer/listener.h"
#include "tracer/standby.h"

/* Headers of Linux before 6.6 lack it: answered on the same CPU, without a detour. */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#define SYNC_WAKE_UP 1UL
/* The shortest that the kernel gives. */
#define SLICE_NS 100000u

struct sb_notify {
	struct sb_notify_spec spec;
	struct sb_child_hooks hooks;
	struct sb_listener_room room;
	struct sb_listener_flags flags;
	struct sb_standby standby;
	int listener, signals;
	int child_end, our_end; /* of the socket that the listener comes by */
	bool deserted;
};

/* In the child. */
static int enter(void *arg)
{
	struct sb_notify *n = arg;
	struct sb_listener_flags flags;
	auto_fd int listener = sb_listener_make(&n->spec.filter->prog, &flags);

	return listener < 0 ? listener : sb_listener_send(n->child_end, listener, &flags);
}

static int attend(void *arg, pid_t pid, int up, struct sb_err *err);

int sb_notify_new(const struct sb_notify_spec *spec, struct sb_notify **ret, struct sb_err *err)
{
	struct sb_notify *n = calloc(1, sizeof *n);
	int pair[2] = {-1, -1};
	sigset_t set;

	if (!n)
		return sb_fail(err, ENOMEM, "start the trace");
	n->spec = *spec;
	n->hooks = (struct sb_child_hooks){
		.inside = enter,
		.beside = attend,
		.arg = n,
		.what = "put itself under a seccomp filter with a listener",
	};
	n->standby = (struct sb_standby)SB_STANDBY_INIT;
	n->listener = n->child_end = n->our_end = -1;
	sb_child_signals(&set);
	sigaddset(&set, SIGCHLD);
	n->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	int rc = n->signals < 0 ? -errno : sb_listener_room(&n->room);
	if (rc == 0 && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		rc = -errno;
	n->child_end = pair[0];
	n->our_end = pair[1];
	if (rc < 0) {
		sb_notify_free(n);
		return sb_fail(err, -rc, "get ready to listen to system calls");
	}
	*ret = n;
	return 0;
}

void sb_notify_free(struct sb_notify *n)
{
	if (!n)
		return;
	if (sb_notify_deserted(n))
		sb_standby_end(&n->standby);
	else
		sb_standby_leave(&n->standby);
	sb_closep(&n->listener);
	sb_closep(&n->signals);
	sb_closep(&n->child_end);
	sb_closep(&n->our_end);
	sb_listener_room_free(&n->room);
	free(n);
}

const struct sb_child_hooks *sb_notify_hooks(const struct sb_notify *n)
{
	return &n->hooks;
}

static void serve(struct sb_notify *n)
{
	const struct seccomp_notif *got = n->room.notif;
	struct sb_notice notice;

	/* It was killed before we came to it. */
	if (sb_listener_take(n->listener, &n->room) < 0)
		return;
	__atomic_store_n(&n->standby.shared->taken, got->id, __ATOMIC_RELEASE);
	int abi = sb_syscall_abi(got->data.arch, got->data.nr);
	notice = (struct sb_notice){
		.id = got->id,
		.tid = (pid_t)got->pid,
		.from = got->data.instruction_pointer,
	};
	notice.call.abi = abi < 0 ? SB_ABI_COUNT : (enum sb_abi)abi;
	notice.call.nr = got->data.nr;
	for (int i = 0; i < 6; i++)
		notice.call.args[i] = got->data.args[i];
	if (abi >= 0)
		n->spec.serve(n->spec.arg, &notice);
	/* Refused where it was killed meanwhile: that is as good as to ask before. */
	bool valid = sb_listener_continue(n->listener, &n->room, notice.id);
	if (abi >= 0)
		n->spec.served(n->spec.arg, &notice, valid);
}

/* 1: served one; 0: there was none. `also` is another descriptor to wait for. */
static int wait_for(struct sb_notify *n, const struct timespec *patience, int also)
{
	struct pollfd ready[] = {
		{n->deserted ? -1 : n->listener, POLLIN, 0},
		{also, POLLIN, 0},
	};

	if (ppoll(ready, 2, patience, NULL) <= 0)
		return 0;
	if (ready[0].revents & POLLIN) {
		serve(n);
		return 1;
	}
	n->deserted |= (ready[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0;
	return 0;
}

int sb_notify_wait(struct sb_notify *n, double seconds)
{
	struct timespec patience = {.tv_sec = (time_t)seconds,
				    .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};

	return wait_for(n, &patience, n->signals);
}

bool sb_notify_deserted(const struct sb_notify *n)
{
	struct pollfd listener = {n->listener, POLLIN, 0};

	return n->deserted || n->listener < 0 ||
	       (poll(&listener, 1, 0) > 0 && !(listener.revents & POLLIN));
}

bool sb_notify_unprivileged(const struct sb_notify *n)
{
	return n->flags.unprivileged;
}

/*
 * Whoever gets an answer would run at once, with us waiting behind it: then its next exec finds
 * this processor busy and moves to another, for more than the answer took. A short slice has us go
 * to sleep first (Linux 6.12; older ones take no notice).
 */
static void be_brief(void)
{
	/* sched_setattr(2). The kernel's header defines more, which libc's does, too. */
	struct {
		uint32_t size, policy;
		uint64_t flags;
		int32_t nice;
		uint32_t priority;
		uint64_t runtime, deadline, period;
	} attr = {.size = sizeof attr};

	if (syscall(SYS_sched_getattr, 0, &attr, sizeof attr, 0) < 0 ||
	    (attr.policy != SCHED_OTHER && attr.policy != SCHED_BATCH))
		return;
	attr.runtime = SLICE_NS;
	(void)syscall(SYS_sched_setattr, 0, &attr, 0); /* only speed is lost */
}

/* The listener is here: nothing waits for an answer yet but the command's exec. */
static int begin(struct sb_notify *n, pid_t pid, struct sb_err *err)
{
	if (ioctl(n->listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) < 0)
		sb_log(SB_LOG_DEBUG, "notifications are answered without SYNC_WAKE_UP (Linux 6.6)");
	be_brief();
	int rc = sb_standby_start(n->listener, n->spec.trace, &n->standby);
	if (rc < 0)
		return sb_fail(err, -rc, "start the process that stands by");
	return n->spec.born(n->spec.arg, pid, err);
}

static bool readable(int fd)
{
	struct pollfd ready = {fd, POLLIN, 0};

	return poll(&ready, 1, 0) > 0;
}

/* Beside the child until it has exec'd, or failed to: that is a call that waits for us, too. */
static int attend(void *arg, pid_t pid, int up, struct sb_err *err)
{
	struct sb_notify *n = arg;

	close(sb_steal_fd(&n->child_end));
	n->listener = sb_listener_receive(n->our_end, &n->flags);
	close(sb_steal_fd(&n->our_end));
	/* It could not send one: the child itself tells why. */
	if (n->listener < 0)
		return 0;
	int rc = begin(n, pid, err);
	while (rc == 0 && !readable(up))
		(void)wait_for(n, NULL, up);
	return rc;
}
