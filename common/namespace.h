/*
 * Namespaces of our own, without a privilege and without a helper program.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* What the process could do before. */
struct sb_rights {
	uint32_t permitted[2];
	bool privileged; /* the mount namespace needed no user namespace */
};

/*
 * Enters a new mount namespace (and a network namespace with nothing but a loopback, where
 * `own_net`), in a new user namespace unless the caller may do without; the user stays who they
 * are. Proves with a real mount that the rights are more than a name: Ubuntu grants user namespaces
 * that allow nothing. The line of a refusal names the remedy.
 */
int sb_namespaces_enter(bool own_net, struct sb_rights *ret, struct sb_err *err);
/* The same by the caller's own rights, without a user namespace; -EPERM where they do not allow it.
 */
int sb_mounts_enter(bool own_net, struct sb_err *err);
/* Gives back what the namespace granted. */
int sb_rights_drop(const struct sb_rights *rights, struct sb_err *err);
/* Whether we have any capability. */
bool sb_rights_any(void);
/* chroot(2) into where we are already: what is allowed shows, and nothing changes but our root. */
int sb_chroot_try(struct sb_err *err);
/*
 * A user that is not root keeps no capability, also none that the next program would inherit.
 */
int sb_capabilities_drop(struct sb_err *err);
