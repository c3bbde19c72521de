/*
 * What the kernel put on the stack: argc, the arguments, NULL, the environment, NULL, and the
 * auxiliary vector, in one piece (System V ABI, "Process Initialization"), above everything that
 * the dynamic linker has pushed since. ld.so's own word for it, __libc_stack_end, would have to be
 * asked of ld.so by name: to need it costs every exec ten system calls and as many page faults.
 */
#include "auditor/audit.h"

#include <elf.h>
#include <stddef.h>

#define ALIGN	   16	       /* of the stack where a program begins */
#define MOST	   (1ul << 20) /* what ld.so may have pushed */
#define KEYS	   1024	       /* more than any machine's AT_* */
#define PAGE_LEAST 4096

/* Whatever the stack holds is read, the redzones of a sanitizer in a test too. */
#define ANYWHERE __attribute__((no_sanitize_address))

/* `count` pointers to what lies further up, and NULL: what is behind it, or NULL. */
ANYWHERE static const uintptr_t *skip_arguments(const uintptr_t *p, uintptr_t count)
{
	for (; count && *p > (uintptr_t)p; count--)
		p++;
	return count || *p ? NULL : p + 1;
}

/* ld.so has put copies of its own elsewhere in place of some (GLIBC_TUNABLES). */
ANYWHERE static const uintptr_t *skip_variables(const uintptr_t *p)
{
	while (*p)
		p++;
	return p + 1;
}

/* What every kernel tells every program. */
ANYWHERE static bool is_auxv(const ElfW(auxv_t) * a)
{
	bool headers = false, entry = false, page = false;

	for (; a->a_type != AT_NULL; a++) {
		if (a->a_type >= KEYS)
			return false;
		headers |= a->a_type == AT_PHDR && a->a_un.a_val;
		entry |= a->a_type == AT_ENTRY && a->a_un.a_val;
		page |= a->a_type == AT_PAGESZ && a->a_un.a_val >= PAGE_LEAST;
	}
	return headers && entry && page;
}

ANYWHERE static bool begins_at(const uintptr_t *p, struct sb_image *ret)
{
	const uintptr_t *argv = p + 1, *envp = skip_arguments(argv, *p), *auxv;

	if (!envp)
		return false;
	auxv = skip_variables(envp);
	if (!is_auxv((const ElfW(auxv_t) *)auxv))
		return false;
	ret->argv = (char **)(uintptr_t)argv;
	ret->envp = (char **)(uintptr_t)envp;
	ret->auxv = (const ElfW(auxv_t) *)auxv;
	return true;
}

bool sb_image_find(const void *frame, struct sb_image *ret)
{
	uintptr_t at = ((uintptr_t)frame + ALIGN - 1) / ALIGN * ALIGN;

	for (uintptr_t end = at + MOST; at < end; at += ALIGN)
		if (begins_at((const uintptr_t *)at, ret))
			return true;
	return false;
}
