#include "auditor/passed.h"

#include <elf.h>
#include <fcntl.h>

#include "auditor/audit.h"
#include "preload/environ.h"
#include "preload/state.h"
#include "preload/str.h"

#define PAGE_MASK 0xffful
#define AUDITORS  "LD_AUDIT="

/* The list that glibc 2.35 and later keep: one for each namespace. */
struct namespace
{
	struct r_debug head;
	const struct namespace *next;
};
#define WITH_NEXT 2

static const struct namespace *namespaces(const struct link_map *main)
{
	for (const ElfW(Dyn) *d = main ? main->l_ld : NULL; d && d->d_tag != DT_NULL; d++)
		if (d->d_tag == DT_DEBUG)
			return (const struct namespace *)d->d_un.d_ptr;
	return NULL;
}

/* Whether `name` lies where the module's name would, seen from an instruction in the text of the
 * linker at `base`. */
static bool looks_like_ours(const struct sb_log_header *log, const char *name, uintptr_t base)
{
	const ElfW(Ehdr) *e = (const ElfW(Ehdr) *)base;
	const ElfW(Phdr) *p = (const ElfW(Phdr) *)(base + e->e_phoff);
	/* A negative distance: the name lies below, as a library is mapped below the linker. */
	uintptr_t nearest = (uintptr_t)name - (uintptr_t)(int32_t)log->opening_distance;
	uintptr_t more = (nearest - log->opening_site) & PAGE_MASK, from = nearest - more;

	if (more >= SB_OPENING_SPAN)
		return false;
	for (unsigned i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_flags & PF_X &&
		    from - (base + p[i].p_vaddr) < p[i].p_memsz)
			return true;
	return false;
}

static void tell(const char *name)
{
	const struct sb_access access = {
		.kind = SB_OPEN, .dirfd = AT_FDCWD, .path = name, .fd = -1};

	sb_record(&access);
}

/* We were opened first of all, so what lies there is our own name. */
static bool come_first(const struct sb_recorder *st)
{
	char *const *variable = sb_env_find(sb_image.envp, AUDITORS);
	const char *first = variable ? *variable + sizeof(AUDITORS) - 1 : "";
	size_t len = sb_strlen(st->modules);

	return sb_image_auxv(AT_BASE) && len && sb_starts(first, st->modules) &&
	       sb_starts(first + len, "/" SB_AUDIT_NAME);
}

void sb_passed_tell(const struct link_map *main, bool planted)
{
	struct sb_recorder *st = sb_self();
	const struct namespace *ns;

	if (!st->guarded || !st->log->opening_distance || (planted && come_first(st)))
		return;
	for (ns = namespaces(main); ns; ns = ns->head.r_version < WITH_NEXT ? NULL : ns->next)
		for (const struct link_map *map = ns->head.r_map; map; map = map->l_next)
			if (map->l_name && sb_strchr(map->l_name, '/') &&
			    !sb_streq(sb_basename(map->l_name), SB_AUDIT_NAME) &&
			    looks_like_ours(st->log, map->l_name, ns->head.r_ldbase))
				tell(map->l_name);
}
