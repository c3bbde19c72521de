#include "tracer/listener.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Headers of Linux before 5.19 lack it. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static long seccomp(unsigned operation, unsigned long flags, const void *arg)
{
	return syscall(SYS_seccomp, operation, flags, arg);
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

int sb_listener_room(struct sb_listener_room *ret)
{
	struct seccomp_notif_sizes sizes;

	if (seccomp(SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		return -errno;
	struct sb_listener_room room = {
		.notif_size = larger(sizes.seccomp_notif, sizeof *room.notif),
		.resp_size = larger(sizes.seccomp_notif_resp, sizeof *room.resp),
	};
	room.notif = calloc(1, room.notif_size);
	room.resp = calloc(1, room.resp_size);
	if (!room.notif || !room.resp) {
		sb_listener_room_free(&room);
		return -ENOMEM;
	}
	*ret = room;
	return 0;
}

void sb_listener_room_free(struct sb_listener_room *room)
{
	free(room->notif);
	free(room->resp);
	*room = (struct sb_listener_room){0};
}

static int make(const struct sock_fprog *prog, bool *ret_killable)
{
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long fd = seccomp(SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
			  prog);

	*ret_killable = fd >= 0;
	if (fd < 0 && errno == EINVAL)
		fd = seccomp(SECCOMP_SET_MODE_FILTER, flags, prog);
	return fd < 0 ? -errno : (int)fd;
}

bool sb_listener_killable(void)
{
	/* Without a program: a flag that is unknown is complained of first. */
	return seccomp(SECCOMP_SET_MODE_FILTER,
		       SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		       NULL) >= 0 ||
	       errno != EINVAL;
}

int sb_listener_make(const struct sock_fprog *prog, struct sb_listener_flags *ret)
{
	int fd = make(prog, &ret->killable);

	/* Without CAP_SYS_ADMIN only those filter themselves who gain nothing any more. */
	if (fd == -EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
		fd = make(prog, &ret->killable);
	ret->unprivileged = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
	return fd;
}

int sb_listener_send(int socket, int listener, const struct sb_listener_flags *flags)
{
	struct sb_listener_flags copy = *flags;
	struct iovec io = {&copy, sizeof copy};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof listener)] = {0};
	struct msghdr message = {.msg_iov = &io,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof control};
	struct cmsghdr *head = CMSG_FIRSTHDR(&message);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof listener);
	memcpy(CMSG_DATA(head), &listener, sizeof listener);
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int sb_listener_receive(int socket, struct sb_listener_flags *ret)
{
	struct sb_listener_flags flags;
	struct iovec io = {&flags, sizeof flags};
	int listener;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof listener)];
	struct msghdr message = {.msg_iov = &io,
				 .msg_iovlen = 1,
				 .msg_control = control,
				 .msg_controllen = sizeof control};
	ssize_t n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *head = n < 0 ? NULL : CMSG_FIRSTHDR(&message);

	if (n < 0)
		return -errno;
	if (n != (ssize_t)sizeof flags || !head || head->cmsg_type != SCM_RIGHTS)
		return -EPIPE;
	memcpy(&listener, CMSG_DATA(head), sizeof listener);
	*ret = flags;
	return listener;
}

int sb_listener_take(int listener, struct sb_listener_room *room)
{
	/* The kernel insists on zeros. */
	memset(room->notif, 0, room->notif_size);
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, room->notif) < 0 ? -errno : 0;
}

void sb_listener_refuse(int listener, struct sb_listener_room *room, uint64_t id, int error)
{
	memset(room->resp, 0, room->resp_size);
	room->resp->id = id;
	room->resp->error = -error;
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, room->resp);
}

bool sb_listener_continue(int listener, struct sb_listener_room *room, uint64_t id)
{
	memset(room->resp, 0, room->resp_size);
	room->resp->id = id;
	room->resp->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, room->resp) == 0;
}
