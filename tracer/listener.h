/*
 * A seccomp filter's listener, as a descriptor: made in the process that is to be watched, handed
 * to the one that watches.
 */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* seccomp(2)'s structs, in the kernel's sizes: it may have grown them. */
struct sb_listener_room {
	struct seccomp_notif *notif;
	struct seccomp_notif_resp *resp;
	size_t notif_size, resp_size;
};

/* 0 or -errno. */
int sb_listener_room(struct sb_listener_room *ret);
void sb_listener_room_free(struct sb_listener_room *room);

struct sb_listener_flags {
	bool killable;	   /* WAIT_KILLABLE_RECV was to be had */
	bool unprivileged; /* no_new_privs is set */
};

/*
 * Puts the caller under the filter; the listener's descriptor (close-on-exec), or -errno: -EBUSY
 * where it is under a filter with a listener already. Sets no_new_privs where it has to.
 */
int sb_listener_make(const struct sock_fprog *prog, struct sb_listener_flags *ret);
/* Whether waiting calls can be shielded from signals: Linux 5.19. */
bool sb_listener_killable(void);
/* Over a connected socket. 0 or -errno; the receiver gets a descriptor, -EPIPE where there is none.
 */
int sb_listener_send(int socket, int listener, const struct sb_listener_flags *flags);
int sb_listener_receive(int socket, struct sb_listener_flags *ret);

/* The next notice. 0, or -errno: -ENOENT where its process was killed meanwhile. */
int sb_listener_take(int listener, struct sb_listener_room *room);
/* The call is not made, and fails with this errno. */
void sb_listener_refuse(int listener, struct sb_listener_room *room, uint64_t id, int error);
/* Lets the call go on. False: it waits no more. */
bool sb_listener_continue(int listener, struct sb_listener_room *room, uint64_t id);
