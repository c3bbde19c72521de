/* What a call is: tracer/syscalls.def for this kind of machine, by number. */
#include "redirect/shape.h"

#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/inotify.h>
#include <linux/openat2.h>

#include "tracer/syscalls.h"

/* Rows of the table that every tracer uses, by their number here. */
#define N		   (-1)
#define ROW(nr)		   [(nr) < 0 ? SB_GATE_NUMBERS - 1 : (nr)]
#define CHANGES(act, kind) ((kind) == SB_WRITE && (act) == SB_ACT_ACCESS)
#define IS_OURS(act, kind)                                                               \
	((kind) != SB_WRITE &&                                                           \
	 ((act) == SB_ACT_ACCESS || (act) == SB_ACT_ATTRIBUTE || (act) == SB_ACT_OPEN || \
	  (act) == SB_ACT_OPENAT2 || (act) == SB_ACT_EXEC || (act) == SB_ACT_CHDIR))
#if defined(__x86_64__)
#define HERE(x86_64, aarch64) x86_64
#else
#define HERE(x86_64, aarch64) aarch64
#endif

/* Several names have no number here, and share a row that nobody asks for. */
#pragma GCC diagnostic ignored "-Woverride-init"

const struct sb_shape sb_shapes[SB_GATE_NUMBERS] = {
#define CALL(name, x86_64, i386, x32, aarch64, act, kind, op, dirfd, path, flags, nofollow) \
	ROW(HERE(x86_64, aarch64))                                                          \
	= {SB_ACT_##act, SB_##kind, dirfd, path, flags, SB_##nofollow, N, N},
#define TWO(name, x86_64, i386, x32, aarch64, op, dirfd, path, dirfd2, path2, flags) \
	ROW(HERE(x86_64, aarch64))                                                   \
	= {SB_ACT_TWO, SB_WRITE, dirfd, path, flags, SB_NOFOLLOW, dirfd2, path2},
#include "tracer/syscalls.def"
#undef CALL
#undef TWO
};

const uint8_t sb_gate_numbers[SB_GATE_NUMBERS] = {
#define CALL(name, x86_64, i386, x32, aarch64, act, kind, op, dirfd, path, flags, nofollow) \
	ROW(HERE(x86_64, aarch64))                                                          \
	= HERE(x86_64, aarch64) >= 0 &&                                                     \
	  (IS_OURS(SB_ACT_##act, SB_##kind) || CHANGES(SB_ACT_##act, SB_##kind)),
#define TWO(name, x86_64, i386, x32, aarch64, op, dirfd, path, dirfd2, path2, flags) \
	ROW(HERE(x86_64, aarch64))                                                   \
	= HERE(x86_64, aarch64) >= 0,
#include "tracer/syscalls.def"
#undef CALL
#undef TWO
	[__NR_getcwd] = SB_NUMBER_OTHER,
	[__NR_connect] = SB_NUMBER_OTHER,
	[__NR_bind] = SB_NUMBER_OTHER,
	[__NR_sendto] = SB_NUMBER_OTHER,
	[__NR_sendmsg] = SB_NUMBER_OTHER,
	[__NR_getsockname] = SB_NUMBER_OTHER,
	[__NR_getpeername] = SB_NUMBER_OTHER,
	[__NR_munmap] = SB_NUMBER_MEMORY, /* is taken away, or forbidden */
	[__NR_mprotect] = SB_NUMBER_MEMORY,
	[__NR_mremap] = SB_NUMBER_MEMORY,
	[__NR_fchdir] = SB_NUMBER_OTHER,
	[__NR_getdents64] = SB_NUMBER_OTHER,
};

unsigned long sb_flags_of(const struct sb_call *c, const struct sb_shape *s)
{
#ifdef __NR_creat
	if (c->nr == __NR_creat)
		return O_CREAT | O_WRONLY | O_TRUNC;
#endif
	if (s->flags < 0)
		return 0;
	if (s->act == SB_ACT_OPENAT2)
		return ((const struct open_how *)c->args[s->flags])->flags;
	return (unsigned long)c->args[s->flags];
}

bool sb_follows(const struct sb_shape *s, unsigned long flags)
{
	switch (s->nofollow) {
	case SB_NOFOLLOW:
		return false;
	case SB_NOFOLLOW_FLAG:
		return !(flags & AT_SYMLINK_NOFOLLOW);
	case SB_NOFOLLOW_UNLESS:
		return flags & AT_SYMLINK_FOLLOW;
	case SB_NOFOLLOW_INOTIFY:
		return !(flags & IN_DONT_FOLLOW);
	default:
		return s->kind != SB_OPEN || !(flags & O_NOFOLLOW);
	}
}

bool sb_writes(unsigned long flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC) ||
	       (flags & O_TMPFILE) == O_TMPFILE;
}

/* access(2) and its like have what is asked for behind the path. */
bool sb_is_access(long nr)
{
#ifdef __NR_access
	if (nr == __NR_access)
		return true;
#endif
	return nr == __NR_faccessat || nr == __NR_faccessat2;
}

long sb_dirfd_of(const struct sb_call *c, const struct sb_shape *s)
{
	return s->dirfd < 0 ? AT_FDCWD : (int)c->args[s->dirfd];
}

bool sb_resolves_otherwise(const struct sb_call *c, const struct sb_shape *s)
{
	const struct open_how *how = (const struct open_how *)c->args[s->flags];

	return s->act == SB_ACT_OPENAT2 && (size_t)c->args[s->flags + 1] >= sizeof(*how) &&
	       sb_can_read(how, sizeof(*how)) && how->resolve;
}

bool sb_can_read_flags(const struct sb_call *c, const struct sb_shape *s)
{
	return s->act != SB_ACT_OPENAT2 ||
	       sb_can_read((const void *)c->args[s->flags], sizeof(uint64_t));
}

/* What we would not read, the kernel may say EFAULT to. */
bool sb_can_read_paths(const struct sb_call *c, const struct sb_shape *s)
{
	return sb_can_read_string((const char *)c->args[s->path]) &&
	       (s->path2 < 0 || sb_can_read_string((const char *)c->args[s->path2]));
}
