/*
 * What this machine grants, found by trying it in a child: so nothing changes here. For doctor and
 * for whoever is to do the real thing.
 */
#pragma once

#include "common/err.h"

/* Calls `fn` in a child; its failure becomes ours. `fn` may change whatever belongs to a process.
 */
int sb_probe_child(int (*fn)(void *arg, struct sb_err *err), void *arg, struct sb_err *err);

/* A mount namespace with rights in it; as sb_namespaces_enter(). */
int sb_probe_namespace(struct sb_err *err);
/* chroot(2); as sb_chroot_try(). */
int sb_probe_chroot(struct sb_err *err);
/* Reading the memory of a child, by process_vm_readv(2). */
int sb_probe_memory(struct sb_err *err);
