#include "bundler/patch_code.h"

/* What tracer/syscalls.def has no row for, or not one that says it: numbers of these two machines.
 */
static const struct {
	int16_t x86_64, aarch64;
	enum sb_patch_how how;
} others[] = {
	/* Are told names, and may not see real ones. */
	{79, 17, SB_PATCH_CALL},  /* getcwd */
	{51, 204, SB_PATCH_CALL}, /* getsockname */
	{52, 205, SB_PATCH_CALL}, /* getpeername */
	/* Lists two directories as one; is heard of. */
	{217, 61, SB_PATCH_CALL}, /* getdents64 */
	{81, 50, SB_PATCH_CALL},  /* fchdir */
	/* May name a path. */
	{42, 203, SB_PATCH_ASK}, /* connect */
	{44, 206, SB_PATCH_ASK}, /* sendto */
	{46, 211, SB_PATCH_ASK}, /* sendmsg */
	{49, 200, SB_PATCH_ASK}, /* bind */
	/* Are heard of. */
	{10, 226, SB_PATCH_ASK}, /* mprotect */
	{11, 215, SB_PATCH_ASK}, /* munmap */
	{25, 216, SB_PATCH_ASK}, /* mremap */
};

enum sb_patch_how sb_patch_how(enum sb_abi abi, long nr)
{
	const struct sb_syscall *call;

	if (nr < 0)
		return SB_PATCH_ASK;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (nr == (abi == SB_ABI_AARCH64 ? others[i].aarch64 : others[i].x86_64))
			return others[i].how;
	call = sb_syscall_find(abi, nr);
	if (!call)
		return SB_PATCH_LEAVE;
	switch (call->act) {
	case SB_ACT_ACCESS:
	case SB_ACT_ATTRIBUTE:
	case SB_ACT_OPEN:
	case SB_ACT_OPENAT2:
	case SB_ACT_EXEC:
	case SB_ACT_CHDIR:
	case SB_ACT_TWO:
		return SB_PATCH_CALL;
	default:
		return SB_PATCH_LEAVE;
	}
}
