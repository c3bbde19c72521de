#include "preload/hide.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>

#include "preload/environ.h"
#include "preload/state.h"
#include "preload/str.h"

/* Go's linker leaves a note of owner "Go". */
static bool notes_go(const char *at, uint64_t size)
{
	while (size >= sizeof(Elf64_Nhdr)) {
		const Elf64_Nhdr *note = (const Elf64_Nhdr *)at;
		uint64_t whole = sizeof(*note) + ((note->n_namesz + 3ull) & ~3ull) +
				 ((note->n_descsz + 3ull) & ~3ull);

		if (whole > size)
			return false;
		if (note->n_namesz >= 2 && sb_starts((const char *)(note + 1), "Go"))
			return true;
		at += whole;
		size -= whole;
	}
	return false;
}

static bool is_go(const ElfW(Phdr) * p, uint64_t count)
{
	uintptr_t base = 0;

	for (uint64_t i = 0; p && i < count; i++)
		if (p[i].p_type == PT_PHDR)
			base = (uintptr_t)p - p[i].p_vaddr;
	for (uint64_t i = 0; p && i < count; i++)
		if (p[i].p_type == PT_NOTE &&
		    notes_go((const char *)(base + p[i].p_vaddr), p[i].p_memsz))
			return true;
	return false;
}

void sb_hide(char **envp, const void *headers, uint64_t count)
{
	struct sb_recorder *st = sb_self();

	if (sb_swap(&st->hidden, 1) || is_go(headers, count))
		return;
	sb_env_hide(envp, st->modules);
}
