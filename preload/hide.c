#include "preload/hide.h"

#include <elf.h>
#include <link.h>
#include <stdbool.h>

#include "preload/environ.h"
#include "preload/inspect.h"
#include "preload/state.h"
#include "preload/str.h"

static bool is_go(const ElfW(Phdr) * p, uint64_t count)
{
	uintptr_t base = 0;

	for (uint64_t i = 0; p && i < count; i++)
		if (p[i].p_type == PT_PHDR)
			base = (uintptr_t)p - p[i].p_vaddr;
	for (uint64_t i = 0; p && i < count; i++)
		if (p[i].p_type == PT_NOTE &&
		    sb_notes_go((const char *)(base + p[i].p_vaddr), p[i].p_memsz))
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
