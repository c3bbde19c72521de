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
/* Gives back what the namespace granted. */
int sb_rights_drop(const struct sb_rights *rights, struct sb_err *err);
