/*
 * The symbols that programs find in front of libc's: every row of preload/hooks.def becomes a
 * function here.
 */
#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>

#include "preload/around.h"
#include "preload/below.h"
#include "preload/export.h"
#include "preload/leaf.h"
#include "preload/tell.h"

#define INT_MAX 0x7fffffff

/* Of the two results that mean failure, the one that the type has. */
#define FAILED(type)                                                       \
	((type)(__builtin_types_compatible_p(type, void *) ||              \
				__builtin_types_compatible_p(type, char *) \
			? 0l                                               \
			: -1l))

#define NOFOLLOW(flags) ((flags)&AT_SYMLINK_NOFOLLOW ? SB_REC_NOFOLLOW : 0)
#define BELOW(family)	SB_BELOW_##family
#define TELL_STAT	sb_tell(SB_STAT, AT_FDCWD, path, 0, raw)
#define TELL_CHANGE	sb_tell_change(SB_OP_CHANGE, AT_FDCWD, path, 0, raw)

#define LEAF(type, name, params, raw)              \
	SB_EXPORTED type name params;              \
	SB_EXPORTED type name params               \
	{                                          \
		return (type)sb_errno_return(raw); \
	}

/* Two threads that look it up at once find the same. */
#define FIND_NEXT(type, name, params)            \
	static type(*next) params;               \
                                                 \
	if (!next && !(next = sb_next(#name))) { \
		sb_errno_set(ENOSYS);            \
		return FAILED(type);             \
	}

#define AROUND(type, name, params, args, below, tell) \
	SB_EXPORTED type name params;                 \
	SB_EXPORTED type name params                  \
	{                                             \
		FIND_NEXT(type, name, params)         \
		bool tells = sb_hook_tells(below);    \
		type ret = next args;                 \
		long raw = SB_RAW(ret);               \
                                                      \
		if (tells)                            \
			tell;                         \
		return ret;                           \
	}

#define NEXT(type, name, params, body, ...)     \
	SB_EXPORTED type name params;           \
	SB_EXPORTED type name params            \
	{                                       \
		FIND_NEXT(type, name, params)   \
		return body(next, __VA_ARGS__); \
	}

#define ELSEWHERE(name)

#include "preload/hooks.def"
