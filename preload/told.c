/*
 * The very call is made; a table says which of its arguments name a path.
 */
#include "preload/told.h"

#include <asm/unistd.h>
#include <linux/limits.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>

#include "preload/arch.h"
#include "preload/around.h"
#include "preload/exec.h"
#include "preload/leaf.h"
#include "preload/tell.h"

enum what {
	NOTHING, /* goes on to libc */
	LOOK,	 /* told as `kind` */
	OPEN,
	OPEN_HOW, /* openat2 */
	CREAT,
	MAKE, /* `op` */
	SYMLINK,
	CHANGE, /* `op` */
	RENAME,
	LINK,
	LIST, /* a directory by its descriptor */
	CHROOT,
	MOVED, /* by a descriptor or without any look at the old name */
	CONNECT,
	BIND,
	EXECVE,
	EXECVEAT,
	FILTER, /* seccomp: told before */
	APART,	/* unshare: what names mean to this thread is its own */
	LEAF,	/* as libc's function of that name: preload/leaf.h knows more of it */
};

#define NONE (-1)

/* Which argument holds what; NONE: there is no such argument. */
struct shape {
	int8_t what;
	int8_t dir, path; /* of a rename or link: the old name */
	int8_t flags;	  /* open flags, or AT_* ones */
	int8_t to_dir, to;
	uint8_t detail; /* enum sb_kind of LOOK, enum sb_op of MAKE and CHANGE */
	uint8_t record; /* SB_REC_NOFOLLOW where the call never follows */
};

#define LOOKS(kind, dir, path, flags)                       \
	{                                                   \
		LOOK, dir, path, flags, NONE, NONE, kind, 0 \
	}
#define LOOKS_AT_LINK(kind, dir, path)                                   \
	{                                                                \
		LOOK, dir, path, NONE, NONE, NONE, kind, SB_REC_NOFOLLOW \
	}
#define OPENS(what, dir, path, flags)                    \
	{                                                \
		what, dir, path, flags, NONE, NONE, 0, 0 \
	}
#define MAKES(op, dir, path)                             \
	{                                                \
		MAKE, dir, path, NONE, NONE, NONE, op, 0 \
	}
#define CHANGES(op, dir, path, flags)                       \
	{                                                   \
		CHANGE, dir, path, flags, NONE, NONE, op, 0 \
	}
#define CHANGES_LINK(op, dir, path)                                      \
	{                                                                \
		CHANGE, dir, path, NONE, NONE, NONE, op, SB_REC_NOFOLLOW \
	}
#define TWO(what, dir, path, to_dir, to, flags)          \
	{                                                \
		what, dir, path, flags, to_dir, to, 0, 0 \
	}
#define OTHER(what, path)                                \
	{                                                \
		what, NONE, path, NONE, NONE, NONE, 0, 0 \
	}

static const struct shape shapes[] = {
#ifdef __x86_64__ /* machines that came later have the forms with "at" alone */
	[__NR_open] = OPENS(OPEN, NONE, 0, 1),
	[__NR_creat] = OPENS(CREAT, NONE, 0, NONE),
	[__NR_stat] = LOOKS(SB_STAT, NONE, 0, NONE),
	[__NR_lstat] = LOOKS_AT_LINK(SB_STAT, NONE, 0),
	[__NR_access] = LOOKS(SB_STAT, NONE, 0, NONE),
	[__NR_readlink] = OTHER(LEAF, 0),
	[__NR_getdents] = OTHER(LIST, 0),
	[__NR_mkdir] = MAKES(SB_OP_MKDIR, NONE, 0),
	[__NR_mknod] = MAKES(SB_OP_MKNOD, NONE, 0),
	[__NR_symlink] = OPENS(SYMLINK, NONE, 1, NONE),
	[__NR_rmdir] = CHANGES_LINK(SB_OP_REMOVE, NONE, 0),
	[__NR_unlink] = CHANGES_LINK(SB_OP_REMOVE, NONE, 0),
	[__NR_chmod] = CHANGES(SB_OP_CHANGE, NONE, 0, NONE),
	[__NR_chown] = CHANGES(SB_OP_CHANGE, NONE, 0, NONE),
	[__NR_lchown] = CHANGES_LINK(SB_OP_CHANGE, NONE, 0),
	[__NR_utime] = CHANGES(SB_OP_CHANGE, NONE, 0, NONE),
	[__NR_utimes] = CHANGES(SB_OP_CHANGE, NONE, 0, NONE),
	[__NR_futimesat] = CHANGES(SB_OP_CHANGE, 0, 1, NONE),
	[__NR_rename] = TWO(RENAME, NONE, 0, NONE, 1, NONE),
	[__NR_link] = TWO(LINK, NONE, 0, NONE, 1, NONE),
#endif
	[__NR_openat] = OPENS(OPEN, 0, 1, 2),
	[__NR_openat2] = OPENS(OPEN_HOW, 0, 1, 2),
	[__NR_newfstatat] = LOOKS(SB_STAT, 0, 1, 3),
	[__NR_statx] = LOOKS(SB_STAT, 0, 1, 2),
	[__NR_statfs] = LOOKS(SB_STAT, NONE, 0, NONE),
	[__NR_faccessat] = LOOKS(SB_STAT, 0, 1, NONE),
	[__NR_faccessat2] = LOOKS(SB_STAT, 0, 1, 3),
	[__NR_getxattr] = OTHER(LEAF, 0),
	[__NR_lgetxattr] = OTHER(LEAF, 0),
	[__NR_listxattr] = OTHER(LEAF, 0),
	[__NR_llistxattr] = OTHER(LEAF, 0),
	[__NR_inotify_add_watch] = LOOKS(SB_STAT, NONE, 1, NONE),
	[__NR_readlinkat] = OTHER(LEAF, 1),
	[__NR_getdents64] = OTHER(LEAF, NONE),
	[__NR_mkdirat] = MAKES(SB_OP_MKDIR, 0, 1),
	[__NR_mknodat] = MAKES(SB_OP_MKNOD, 0, 1),
	[__NR_symlinkat] = OPENS(SYMLINK, 1, 2, NONE),
	[__NR_unlinkat] = CHANGES_LINK(SB_OP_REMOVE, 0, 1),
	[__NR_truncate] = CHANGES(SB_OP_CHANGE, NONE, 0, NONE),
	[__NR_fchmodat] = CHANGES(SB_OP_CHANGE, 0, 1, NONE),
	[__NR_fchownat] = CHANGES(SB_OP_CHANGE, 0, 1, 4),
	[__NR_utimensat] = CHANGES(SB_OP_CHANGE, 0, 1, 3),
	[__NR_setxattr] = OTHER(LEAF, 0),
	[__NR_lsetxattr] = OTHER(LEAF, 0),
	[__NR_removexattr] = OTHER(LEAF, 0),
	[__NR_lremovexattr] = OTHER(LEAF, 0),
	[__NR_renameat] = TWO(RENAME, 0, 1, 2, 3, NONE),
	[__NR_renameat2] = TWO(RENAME, 0, 1, 2, 3, 4),
	[__NR_linkat] = TWO(LINK, 0, 1, 2, 3, 4),
	[__NR_chdir] = OTHER(LEAF, 0),
	[__NR_chroot] = OTHER(CHROOT, 0),
	[__NR_fchdir] = OTHER(LEAF, NONE),
	[__NR_unshare] = OTHER(APART, NONE),
	[__NR_pivot_root] = OTHER(MOVED, NONE),
	[__NR_connect] = OTHER(CONNECT, 1),
	[__NR_bind] = OTHER(BIND, 1),
	[__NR_execve] = OTHER(EXECVE, 0),
	[__NR_execveat] = OTHER(EXECVEAT, NONE),
	[__NR_seccomp] = OTHER(FILTER, NONE),
	[__NR_prctl] = OTHER(FILTER, NONE),
};
#define SHAPES (sizeof shapes / sizeof shapes[0])

struct call {
	const struct shape *shape;
	long args[6];
	int dir, to_dir;
	const char *path, *to;
	uint64_t flags;	 /* 0 where it has none */
	uint8_t existed; /* of an open, and of a rename's new name */
};

static long arg_of(const struct call *call, int8_t at)
{
	return at == NONE ? 0 : call->args[at];
}

static const char *path_of(const struct call *call, int8_t at)
{
	return (const char *)arg_of(call, at); // NOLINT(performance-no-int-to-ptr)
}

static int dir_of(const struct call *call, int8_t at)
{
	return at == NONE ? AT_FDCWD : (int)call->args[at];
}

/* What has to be known before the call is made. */
static void prepare(struct call *call)
{
	const struct shape *shape = call->shape;

	call->dir = dir_of(call, shape->dir);
	call->path = path_of(call, shape->path);
	call->to_dir = dir_of(call, shape->to_dir);
	call->to = path_of(call, shape->to);
	call->flags = (unsigned)arg_of(call, shape->flags);
	if (shape->what == CREAT)
		call->flags = O_CREAT | O_WRONLY | O_TRUNC;
	if (shape->what == OPEN || shape->what == CREAT)
		call->existed = sb_open_existed(call->dir, call->path, call->flags);
	else if (shape->what == RENAME)
		call->existed = sb_record_existed(call->to_dir, call->to);
}

static uint8_t nofollow(const struct call *call)
{
	if (call->shape->flags != NONE && (call->flags & AT_SYMLINK_NOFOLLOW))
		return SB_REC_NOFOLLOW;
	return call->shape->record;
}

/* The answer comes from behind `how` only where a path was looked up. */
static void tell_open_how(const struct call *call, long raw)
{
	const struct open_how *how = (const void *)call->args[call->shape->flags];

	if (raw >= 0 || raw == -ENOENT || raw == -EACCES || raw == -ENOTDIR || raw == -EEXIST)
		sb_tell_open(call->dir, call->path, how->flags, 0, raw);
}

static void tell_two(const struct call *call, long raw)
{
	if (call->shape->what == RENAME)
		sb_tell_rename(call->dir, call->path, call->to_dir, call->to,
			       call->shape->flags == NONE ? 0 : (unsigned)call->flags,
			       call->existed, raw);
	else
		sb_tell_link(call->dir, call->path, call->to_dir, call->to,
			     call->shape->flags == NONE ? 0 : (int)call->flags, raw);
}

static void tell(const struct call *call, long raw)
{
	const struct shape *shape = call->shape;

	switch ((enum what)shape->what) {
	case LOOK:
		sb_tell(shape->detail, call->dir, call->path, nofollow(call), raw);
		break;
	case OPEN:
	case CREAT:
		sb_tell_open(call->dir, call->path, call->flags, call->existed, raw);
		break;
	case OPEN_HOW:
		tell_open_how(call, raw);
		break;
	case MAKE:
		sb_tell_make(shape->detail, call->dir, call->path, raw);
		break;
	case SYMLINK:
		sb_tell_symlink(path_of(call, 0), call->dir, call->path, raw);
		break;
	case CHANGE:
		sb_tell_change(shape->detail, call->dir, call->path, nofollow(call), raw);
		break;
	case RENAME:
	case LINK:
		tell_two(call, raw);
		break;
	case LIST:
		if (raw >= 0)
			sb_tell_read(SB_LIST, (int)call->args[0], ".", 0, 0);
		break;
	case MOVED:
		if (raw == 0)
			sb_record_moved();
		break;
	case CONNECT:
	case BIND:
		sb_tell_socket(call->path, (unsigned)call->args[2], shape->what == BIND, raw);
		break;
	case APART:
		if (raw == 0 && call->args[0] & CLONE_FS && sb_recorder_on())
			sb_record_wanders(true);
		break;
	case CHROOT:
	case EXECVE:
	case EXECVEAT:
	case FILTER:
	case LEAF:
	case NOTHING:
		break;
	}
}

static long leaf(long nr, const long *args)
{
	const char *path = (const char *)args[0], *name = (const char *)args[1];

	switch (nr) {
#ifdef __NR_readlink
	case __NR_readlink:
		return sb_leaf_readlink(path, (char *)args[1], (unsigned long)args[2]);
#endif
	case __NR_readlinkat:
		return sb_leaf_readlinkat((int)args[0], name, (char *)args[2],
					  (unsigned long)args[3]);
	case __NR_getxattr:
	case __NR_lgetxattr:
		return sb_leaf_getxattr(nr, path, name, (void *)args[2], (unsigned long)args[3]);
	case __NR_listxattr:
	case __NR_llistxattr:
		return sb_leaf_listxattr(nr, path, (char *)args[1], (unsigned long)args[2]);
	case __NR_setxattr:
	case __NR_lsetxattr:
		return sb_leaf_setxattr(nr, path, name, (const void *)args[2],
					(unsigned long)args[3], (int)args[4]);
	case __NR_removexattr:
	case __NR_lremovexattr:
		return sb_leaf_removexattr(nr, path, name);
	case __NR_getdents64:
		return sb_leaf_getdents64((int)args[0], (void *)args[1], (unsigned long)args[2]);
	case __NR_chdir:
		return sb_leaf_chdir(path);
	default: /* __NR_fchdir */
		return sb_leaf_fchdir((int)args[0]);
	}
}

/* Those that are told by more than their arguments. */
static bool whole_call(const struct call *call, long nr, long *ret_raw)
{
	const long *args = call->args;

	switch ((enum what)call->shape->what) {
	case CHROOT:
		*ret_raw = sb_leaf_chroot((const char *)args[0]);
		return true;
	case EXECVE:
		*ret_raw = sb_execveat(AT_FDCWD, (const char *)args[0], (char *const *)args[1],
				       (char *const *)args[2], 0);
		return true;
	case EXECVEAT:
		*ret_raw = sb_execveat((int)args[0], (const char *)args[1], (char *const *)args[2],
				       (char *const *)args[3], (int)args[4]);
		return true;
	case FILTER:
		sb_told_filter(nr, args[0], args[1], args[2]);
		*ret_raw = sb_raw(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
		return true;
	case LEAF:
		*ret_raw = leaf(nr, args);
		return true;
	default:
		return false;
	}
}

/* A filter is announced before it holds; asking whether there could be one is not. */
void sb_told_filter(long nr, long operation, long mode, long program)
{
	if (nr == __NR_prctl
		    ? operation != PR_SET_SECCOMP
		    : operation != SECCOMP_SET_MODE_STRICT && operation != SECCOMP_SET_MODE_FILTER)
		return;
	if (program ||
	    (nr == __NR_prctl ? mode == SECCOMP_MODE_STRICT : operation == SECCOMP_SET_MODE_STRICT))
		sb_record_sandboxed();
}

bool sb_told_knows(long nr)
{
	return nr >= 0 && (unsigned long)nr < SHAPES && shapes[nr].what != NOTHING;
}

/* Not inlined: its memory is gone when syscall() leaves by a jump. */
__attribute__((noinline)) long sb_told(long nr, long a, long b, long c, long d, long e, long f)
{
	struct call call = {.args = {a, b, c, d, e, f}};
	long raw;

	if (!sb_told_knows(nr))
		return sb_arch_syscall(nr, a, b, c, d, e, f);
	call.shape = &shapes[nr];
	if (whole_call(&call, nr, &raw))
		return raw;
	prepare(&call);
	raw = sb_call(nr, a, b, c, d, e, f);
	tell(&call, raw);
	return raw;
}
