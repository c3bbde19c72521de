#include "auditor/linker.h"

#include "auditor/audit.h"
#include "preload/state.h"

#ifdef __x86_64__

#include <asm/unistd.h>
#include <elf.h>
#include <sys/mman.h>

#include "auditor/sites.h"
#include "auditor/thunk.h"
#include "preload/entry.h"
#include "preload/str.h"

#define PAGE	 4096ul
#define IDENTITY 1024u /* of a linker: its headers and notes, the build id among them */
#define SITES	 SB_THUNKS

/* --- where they are --------------------------------------------------------------------------- */

struct linker {
	const uint8_t *base, *text;
	size_t size; /* of the text */
};

static bool find_linker(struct linker *ret)
{
	const uint8_t *base = (const uint8_t *)sb_image_auxv(AT_BASE);
	const ElfW(Ehdr) *e = (const ElfW(Ehdr) *)base;
	const ElfW(Phdr) * p;

	if (!base || !sb_starts((const char *)e->e_ident, ELFMAG))
		return false;
	p = (const ElfW(Phdr) *)(base + e->e_phoff);
	for (unsigned i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_flags == (PF_R | PF_X)) {
			*ret = (struct linker){base, base + p[i].p_vaddr, p[i].p_filesz};
			return ret->size > IDENTITY;
		}
	return false;
}

static uint64_t identity(const struct linker *linker)
{
	uint64_t hash = linker->size, word;

	for (unsigned i = 0; i < IDENTITY; i += sizeof(word)) {
		__builtin_memcpy(&word, linker->base + i, sizeof(word));
		hash = (hash ^ word) * 0xff51afd7ed558ccdull;
		hash ^= hash >> 32;
	}
	return hash ? hash : 1;
}

static unsigned find_sites(const struct linker *linker, uint32_t *ret)
{
	unsigned count = sb_sites_find(linker->text, linker->size, ret, SITES);

	return sb_sites_trim(linker->text, ret, count);
}

/* Found once per linker and trace, then kept in the log for everybody. */
static unsigned sites_of(struct sb_log_header *log, const struct linker *linker, uint32_t *ret)
{
	uint64_t key = identity(linker);
	unsigned count;

	for (unsigned i = 0; i < SB_LINKERS; i++) {
		struct sb_log_linker *l = &log->linker[i];
		uint32_t free = 0;

		if (sb_load(&l->key) == key) {
			count = l->count < SITES ? l->count : SITES;
			__builtin_memcpy(ret, l->sites, sizeof(*ret) * count);
			return count;
		}
		if (!sb_load(&l->claimed) && sb_cas(&l->claimed, &free, 1)) {
			count = find_sites(linker, l->sites);
			l->count = count;
			sb_store(&l->key, key);
			__builtin_memcpy(ret, l->sites, sizeof(*ret) * count);
			return count;
		}
	}
	return find_sites(linker, ret);
}

/* --- planting --------------------------------------------------------------------------------- */

static bool protect(uintptr_t from, uintptr_t to, int rights)
{
	return !sb_raw(__NR_mprotect, (long)from, (long)(to - from), rights, 0, 0, 0);
}

/* A jump, and what it is written over. */
struct place {
	uint8_t *at;
	uint8_t jump[SB_ENTRY_JUMP], was[SB_ENTRY_JUMP];
};

/* How many; 0: none, or not all that were found are what they were. */
static unsigned make_places(struct sb_log_header *log, const struct linker *linker,
			    struct place places[SITES])
{
	uint32_t sites[SITES];
	unsigned count = sites_of(log, linker, sites);

	for (unsigned i = 0; i < count; i++) {
		const uint8_t *at = linker->text + sites[i];
		struct sb_site site;

		/* The log is writable to every traced process: looked at once more. */
		if (sites[i] < SB_SITE_BEFORE || sites[i] + SB_SITE_LENGTH > linker->size ||
		    !sb_site_read(at, &site) ||
		    !sb_entry_jump((uintptr_t)at,
				   sb_thunk_set(i, &site, (uintptr_t)at + SB_SITE_LENGTH),
				   places[i].jump))
			return 0;
		places[i].at = (uint8_t *)(uintptr_t)at;
		__builtin_memcpy(places[i].was, at, SB_ENTRY_JUMP);
	}
	return count;
}

static void write_all(const struct place places[SITES], unsigned count, bool back)
{
	for (unsigned i = 0; i < count; i++)
		__builtin_memcpy(places[i].at, back ? places[i].was : places[i].jump,
				 SB_ENTRY_JUMP);
}

static bool all_work(const struct place places[SITES], unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (!sb_thunk_works(i, places[i].at, places[i].jump))
			return false;
	return true;
}

bool sb_linker_plant(void)
{
	struct sb_recorder *st = sb_self();
	struct place places[SITES];
	struct linker linker;
	uintptr_t from = UINTPTR_MAX, to = 0;
	unsigned count;

	if (!sb_load(&st->bypass) || sb_load(&st->sandboxed) || !find_linker(&linker))
		return false;
	count = make_places(st->log, &linker, places);
	for (unsigned i = 0; i < count; i++) {
		uintptr_t at = (uintptr_t)places[i].at;

		from = at < from ? at : from;
		to = at + SB_ENTRY_JUMP > to ? at + SB_ENTRY_JUMP : to;
	}
	from = from / PAGE * PAGE;
	to = (to + PAGE - 1) / PAGE * PAGE;
	/* Executable all the while, as in preload/plant.c: refused right away where it is refused.
	 */
	if (!count || !protect(from, to, PROT_READ | PROT_WRITE | PROT_EXEC))
		return false;
	write_all(places, count, false);
	bool work = all_work(places, count);
	if (!work)
		write_all(places, count, true);
	(void)protect(from, to, PROT_READ | PROT_EXEC);
	return work;
}

#else

bool sb_linker_plant(void)
{
	return false;
}

#endif
