/*
 * The one call that probes of seccomp backends try themselves on: a child names a path to the
 * kernel that nobody else asks for, under a filter that acts upon that call alone, and the watcher
 * is to find the path in its memory.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SB_ASK_FILTER 4

/* `action`: SECCOMP_RET_TRACE or SECCOMP_RET_USER_NOTIF. ret[SB_ASK_FILTER] has to outlive *prog.
 */
void sb_ask_filter(uint32_t action, struct sock_filter *ret, struct sock_fprog *prog);
/* In the child, under the filter. 0; ENOSYS: nobody answered. */
int sb_ask(void);
/* In the watcher: `address` is the call's second argument. Whether the path stands there. */
bool sb_ask_heard(pid_t tid, uint64_t address);
