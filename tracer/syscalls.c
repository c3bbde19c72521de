#include "tracer/syscalls.h"

#include <errno.h>
#include <linux/audit.h>
#include <stddef.h>

/* __X32_SYSCALL_BIT, which only x86 headers have. */
#define X32_BIT 0x40000000L
#define N	(-1)

const struct sb_syscall sb_syscalls[] = {
#define CALL(called, x86_64, i386, x32, aarch64, does, what, how, dir, named, flag, follow) \
	{.name = #called,                                                                   \
	 .nr = {x86_64, i386, x32, aarch64},                                                \
	 .act = SB_ACT_##does,                                                              \
	 .kind = SB_##what,                                                                 \
	 .op = SB_OP_##how,                                                                 \
	 .dirfd = dir,                                                                      \
	 .path = named,                                                                     \
	 .dirfd2 = N,                                                                       \
	 .path2 = N,                                                                        \
	 .flags = flag,                                                                     \
	 .nofollow = SB_##follow},
#define TWO(called, x86_64, i386, x32, aarch64, how, dir, named, dir2, named2, flag) \
	{.name = #called,                                                            \
	 .nr = {x86_64, i386, x32, aarch64},                                         \
	 .act = SB_ACT_TWO,                                                          \
	 .kind = SB_WRITE,                                                           \
	 .op = SB_OP_##how,                                                          \
	 .dirfd = dir,                                                               \
	 .path = named,                                                              \
	 .dirfd2 = dir2,                                                             \
	 .path2 = named2,                                                            \
	 .flags = flag,                                                              \
	 .nofollow = SB_NOFOLLOW},
#include "tracer/syscalls.def"
#undef CALL
#undef TWO
};

const unsigned sb_syscall_count = sizeof sb_syscalls / sizeof *sb_syscalls;

const struct sb_syscall *sb_syscall_find(enum sb_abi abi, long nr)
{
	if (abi >= SB_ABI_COUNT || nr < 0)
		return NULL;
	if (abi == SB_ABI_X32)
		nr &= ~X32_BIT;
	for (unsigned i = 0; i < sb_syscall_count; i++)
		if (sb_syscalls[i].nr[abi] == nr)
			return &sb_syscalls[i];
	return NULL;
}

int sb_syscall_abi(uint32_t audit_arch, long nr)
{
	switch (audit_arch) {
	case AUDIT_ARCH_X86_64:
		return nr & X32_BIT ? SB_ABI_X32 : SB_ABI_X86_64;
	case AUDIT_ARCH_I386:
		return SB_ABI_I386;
	case AUDIT_ARCH_AARCH64:
		return SB_ABI_AARCH64;
	default:
		return -EINVAL;
	}
}
