/*
 * dlopen and dlmopen. glibc looks at the return address for who asks (RUNPATH, namespace), so the
 * hook must leave as a jump: save the arguments, ask where to go, restore, go. The audit module
 * tells what is loaded then and what was searched in vain.
 *
 * Where there is none, a name with a slash is told beforehand by whether it is there; and musl,
 * which does not look at its caller, is called, and what it has loaded read from its list.
 */
#include <link.h>

#include <linux/errno.h>
#include <linux/fcntl.h>

#include "preload/below.h"
#include "preload/exec.h"
#include "preload/recorder.h"
#include "preload/str.h"

typedef void *dlopen_fn(const char *name, int mode);

void *sb_dlopen_enter(const char *name, int mode);
void *sb_dlmopen_enter(long space, const char *name, int mode);

static void tell_load(const char *name, enum sb_kind kind, int outcome)
{
	const struct sb_access access = {
		.kind = (uint8_t)kind,
		.dirfd = AT_FDCWD,
		.path = name,
		.outcome = outcome,
		.fd = -1,
	};

	sb_record(&access);
}

static void tell_named(const char *name)
{
	if (!name || !sb_strchr(name, '/'))
		return;
	switch (sb_record_existed(AT_FDCWD, name)) {
	case SB_REC_EXISTED:
		if (!sb_recorder_audited())
			tell_load(name, SB_LOAD, 0);
		break;
	case SB_REC_NEW:
		tell_load(name, SB_SEARCH, ENOENT);
		break;
	}
}

static void *no_dlopen(void)
{
	return NULL;
}

static dlopen_fn *next_dlopen(void)
{
	static dlopen_fn *next;

	if (!next && !(next = sb_next("dlopen")))
		next = (dlopen_fn *)(void *)no_dlopen;
	return next;
}

/* A handle is the object's place in the list of all; what came with it stands behind it. */
static void *dlopen_in_musl(const char *name, int mode)
{
	void *handle = next_dlopen()(name, mode);

	if (!handle)
		tell_named(name);
	else if (name)
		for (const struct link_map *map = handle; map; map = map->l_next)
			if (sb_strchr(map->l_name, '/'))
				tell_load(map->l_name, SB_LOAD, 0);
	return handle;
}

void *sb_dlopen_enter(const char *name, int mode)
{
	(void)mode;
	/* A guard sees what ld.so opens; an audit module tells what it loads. */
	if (!sb_hook_tells(SB_BELOW_NOTHING) || sb_recorder_audited())
		return (void *)next_dlopen();
	if (!sb_is_glibc())
		return (void *)dlopen_in_musl;
	tell_named(name);
	return (void *)next_dlopen();
}

void *sb_dlmopen_enter(long space, const char *name, int mode)
{
	static void *next;

	(void)space;
	(void)mode;
	/* A search that begins in a namespace of its own is not shown to the audit module either.
	 */
	if (sb_hook_tells(SB_BELOW_NOTHING))
		tell_named(name);
	if (!next && !(next = sb_next("dlmopen")))
		next = (void *)no_dlopen;
	return next;
}

#if defined(__x86_64__)
#define ENTRY(name, enter)                                 \
	__asm__(".pushsection .text\n"                     \
		".globl " #name "\n"                       \
		".type " #name ", @function\n" #name ":\n" \
		".cfi_startproc\n"                         \
		"	push %rdi\n"                             \
		"	.cfi_adjust_cfa_offset 8\n"              \
		"	push %rsi\n"                             \
		"	.cfi_adjust_cfa_offset 8\n"              \
		"	push %rdx\n"                             \
		"	.cfi_adjust_cfa_offset 8\n"              \
		"	call " #enter "\n"                 \
		"	pop %rdx\n"                              \
		"	.cfi_adjust_cfa_offset -8\n"             \
		"	pop %rsi\n"                              \
		"	.cfi_adjust_cfa_offset -8\n"             \
		"	pop %rdi\n"                              \
		"	.cfi_adjust_cfa_offset -8\n"             \
		"	jmp *%rax\n"                             \
		".cfi_endproc\n"                           \
		".size " #name ", .-" #name "\n"           \
		".popsection\n")
#elif defined(__aarch64__)
#define ENTRY(name, enter)                                 \
	__asm__(".pushsection .text\n"                     \
		".globl " #name "\n"                       \
		".type " #name ", %function\n" #name ":\n" \
		".cfi_startproc\n"                         \
		"	stp x29, x30, [sp, #-48]!\n"             \
		"	.cfi_adjust_cfa_offset 48\n"             \
		"	.cfi_rel_offset x29, 0\n"                \
		"	.cfi_rel_offset x30, 8\n"                \
		"	stp x0, x1, [sp, #16]\n"                 \
		"	str x2, [sp, #32]\n"                     \
		"	bl " #enter "\n"                   \
		"	mov x16, x0\n"                           \
		"	ldp x0, x1, [sp, #16]\n"                 \
		"	ldr x2, [sp, #32]\n"                     \
		"	ldp x29, x30, [sp], #48\n"               \
		"	.cfi_adjust_cfa_offset -48\n"            \
		"	.cfi_restore x29\n"                      \
		"	.cfi_restore x30\n"                      \
		"	br x16\n"                                \
		".cfi_endproc\n"                           \
		".size " #name ", .-" #name "\n"           \
		".popsection\n")
#else
#error "no entry for dlopen on this machine"
#endif

ENTRY(dlopen, sb_dlopen_enter);
ENTRY(dlmopen, sb_dlmopen_enter);
