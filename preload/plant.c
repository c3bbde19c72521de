#include "preload/plant.h"

#include <asm/unistd.h>
#include <elf.h>
#include <limits.h>
#include <link.h>
#include <linux/fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "preload/below.h"
#include "preload/entry.h"
#include "preload/exec.h"
#include "preload/leaf.h"
#include "preload/next.h"
#include "preload/state.h"
#include "preload/str.h"
#include "preload/write.h"

#ifdef __x86_64__

#define LIBC   "libc.so.6"
#define PAGE   4096ul
#define PLACES 8u
#define NEEDED (SB_BELOW_OPEN | SB_BELOW_STAT)

/* Asked for by this very address, the planted open(3) answers so, and asks nobody. */
static const char sb_probe[] = "";
#define PROBED 0x5b

/* --- what is planted -------------------------------------------------------------------------- */

#define BODY(type, name, params, raw)              \
	static type name params                    \
	{                                          \
		return (type)sb_errno_return(raw); \
	}
#define DETOUR(type, name, params, nr, family, raw)	 BODY(type, detour_##name, params, raw)
#define SINCE_STAT(type, name, params, nr, family, raw)	 BODY(type, detour_##name, params, raw)
#define BEFORE_STAT(type, name, params, nr, family, raw) BODY(type, detour_##name, params, raw)
#define LATER(type, name, params, nr, family, raw)	 BODY(type, detour_##name, params, raw)
#include "preload/detours.def"
#undef DETOUR
#undef SINCE_STAT
#undef BEFORE_STAT
#undef LATER

struct place {
	uint8_t *at;
	uint8_t jump[SB_ENTRY_JUMP];
	uint8_t was[SB_ENTRY_JUMP];
};

struct plan {
	const struct link_map *libc;
	uintptr_t text, end; /* of libc's text */
	struct place places[PLACES];
	unsigned count;
	uint32_t found, missing; /* families */
};

static void add(struct plan *plan, const char *name, uintptr_t body, uint32_t nr, uint32_t family)
{
	struct place *place = &plan->places[plan->count];
	size_t at, size = 0;
	uint8_t *code = sb_map_function(plan->libc, name, &size);
	uintptr_t address = (uintptr_t)code;
	bool fits = plan->count < PLACES && address >= plan->text && address < plan->end &&
		    size <= plan->end - address;

	plan->found |= family;
	if (fits && sb_entry_find(code, size, nr, &at) &&
	    sb_entry_jump(address + at, body, place->jump)) {
		place->at = code + at;
		plan->count++;
	} else {
		plan->missing |= family;
	}
}

static void make_plan(struct plan *plan)
{
	size_t size;
	bool has_stat = sb_map_function(plan->libc, "fstatat64", &size) != NULL;

#define ADD(name, nr, family)			    add(plan, #name, (uintptr_t)detour_##name, nr, SB_BELOW_##family);
#define DETOUR(type, name, params, nr, family, raw) ADD(name, nr, family)
#define SINCE_STAT(type, name, params, nr, family, raw) \
	if (has_stat)                                   \
	ADD(name, nr, family)
#define BEFORE_STAT(type, name, params, nr, family, raw) \
	if (!has_stat)                                   \
	ADD(name, nr, family)
#define LATER(type, name, params, nr, family, raw)
#include "preload/detours.def"
#undef DETOUR
#undef SINCE_STAT
#undef BEFORE_STAT
#undef LATER
}

static void make_later_plan(struct plan *plan, uint32_t wanted)
{
#define DETOUR(type, name, params, nr, family, raw)
#define SINCE_STAT(type, name, params, nr, family, raw)
#define BEFORE_STAT(type, name, params, nr, family, raw)
#define LATER(type, name, params, nr, family, raw) \
	if (SB_BELOW_##family == wanted)           \
	ADD(name, nr, family)
#include "preload/detours.def"
}

/* --- where ------------------------------------------------------------------------------------ */

/* The segment of libc's that is executed. */
static bool find_text(struct plan *plan)
{
	const ElfW(Ehdr) *e = (const ElfW(Ehdr) *)plan->libc->l_addr;
	const ElfW(Phdr) * p;

	if (!e || !sb_starts((const char *)e->e_ident, ELFMAG))
		return false;
	p = (const ElfW(Phdr) *)(plan->libc->l_addr + e->e_phoff);
	for (unsigned i = 0; i < e->e_phnum; i++) {
		if (p[i].p_type != PT_LOAD || !(p[i].p_flags & PF_X))
			continue;
		plan->text = plan->libc->l_addr + p[i].p_vaddr;
		plan->end = plan->text + p[i].p_filesz;
		return !(p[i].p_flags & PF_W);
	}
	return false;
}

static bool find_libc(struct plan *plan)
{
	for (const struct link_map *map = sb_maps(); map; map = map->l_next)
		if (map->l_name && sb_streq(sb_basename(map->l_name), LIBC)) {
			plan->libc = map;
			return find_text(plan);
		}
	return false;
}

/* --- planting --------------------------------------------------------------------------------- */

static bool protect(uintptr_t from, uintptr_t to, int rights)
{
	return !sb_raw(__NR_mprotect, (long)from, (long)(to - from), rights, 0, 0, 0);
}

static void write_all(struct plan *plan, bool back)
{
	for (unsigned i = 0; i < plan->count; i++) {
		struct place *place = &plan->places[i];

		if (!back)
			__builtin_memcpy(place->was, place->at, SB_ENTRY_JUMP);
		__builtin_memcpy(place->at, back ? place->was : place->jump, SB_ENTRY_JUMP);
	}
}

static bool works(const struct plan *plan)
{
	size_t size;
	int (*volatile ask)(const char *, int, unsigned) =
		(int (*)(const char *, int, unsigned))sb_map_function(plan->libc, "open64", &size);

	return ask(sb_probe, O_RDONLY, 0) == PROBED;
}

/* All that is overwritten, as whole pages; false: nothing, or it may not be written. */
static bool open_text(const struct plan *plan, uintptr_t *ret_from, uintptr_t *ret_to)
{
	uintptr_t from = UINTPTR_MAX, to = 0;

	for (unsigned i = 0; i < plan->count; i++) {
		uintptr_t at = (uintptr_t)plan->places[i].at;

		from = at < from ? at : from;
		to = at + SB_ENTRY_JUMP > to ? at + SB_ENTRY_JUMP : to;
	}
	*ret_from = from / PAGE * PAGE;
	*ret_to = (to + PAGE - 1) / PAGE * PAGE;
	return plan->count && protect(*ret_from, *ret_to, PROT_READ | PROT_WRITE | PROT_EXEC);
}

/*
 * Executable all the while: what once was written, a security module may not let become executable
 * again. It refuses this right away, then, and so does PR_SET_MDWE; nothing has happened by then.
 */
static bool write_plan(struct plan *plan)
{
	uintptr_t from, to;
	bool good;

	if (!open_text(plan, &from, &to))
		return false;
	write_all(plan, false);
	good = works(plan);
	if (!good)
		write_all(plan, true);
	/* Where it is refused, libc's text stays writable: no harm to who runs on. */
	(void)protect(from, to, PROT_READ | PROT_EXEC);
	return good;
}

/* Where others run already, one may be in the very instructions that are overwritten. */
static bool alone(void)
{
	struct stat task;

	return !sb_raw(__NR_newfstatat, AT_FDCWD, (long)"/proc/self/task", (long)&task, 0, 0, 0) &&
	       task.st_nlink == 3; /* . and .. */
}

static bool plant(struct sb_recorder *st)
{
	struct plan plan = {.libc = NULL};

	if (sb_load(&st->sandboxed) || (!sb_recorder_audited() && !alone()) || !find_libc(&plan))
		return false;
	make_plan(&plan);
	/* Some of it would leave as much unseen as nothing. */
	if (plan.missing & NEEDED || !write_plan(&plan))
		return false;
	sb_store(&st->below, plan.found & ~plan.missing);
	return true;
}

/* By one store: a signal handler may run, or interrupt, the function that is overwritten. */
static bool store_jump(const struct plan *plan, const struct place *place)
{
	uint64_t word;

	if ((uintptr_t)place->at / PAGE != ((uintptr_t)place->at + sizeof(word) - 1) / PAGE ||
	    (uintptr_t)place->at + sizeof(word) > plan->end)
		return false;
	__builtin_memcpy(&word, place->at, sizeof(word));
	__builtin_memcpy(&word, place->jump, SB_ENTRY_JUMP);
	*(volatile uint64_t *)(void *)place->at = word;
	return true;
}

static void plant_later(struct sb_recorder *st, uint32_t family)
{
	struct plan plan = {.libc = NULL};
	uintptr_t from, to;
	bool good = true;

	/* A vfork child is alone, while the threads of its parent run on in the same memory. */
	if (!(sb_load(&st->below) & SB_BELOW_OPEN) || sb_load(&st->sandboxed) ||
	    sb_raw(__NR_getpid, 0, 0, 0, 0, 0, 0) != st->pid || !alone() || !find_libc(&plan))
		return;
	make_later_plan(&plan, family);
	if (plan.missing || !open_text(&plan, &from, &to))
		return;
	for (unsigned i = 0; i < plan.count; i++)
		good &= store_jump(&plan, &plan.places[i]);
	(void)protect(from, to, PROT_READ | PROT_EXEC);
	if (good)
		(void)__atomic_fetch_or(&st->below, family, __ATOMIC_SEQ_CST);
}

#else

static bool plant(struct sb_recorder *st)
{
	(void)st;
	return false;
}

static void plant_later(struct sb_recorder *st, uint32_t family)
{
	(void)st;
	(void)family;
}

#endif

void sb_plant(void)
{
	const struct sb_rec head = {
		.kind = SB_REC_BLIND, .dirfd = AT_FDCWD, .value = SB_BLIND_LIBC};
	struct sb_recorder *st = sb_self();

	if (!sb_recorder_on() || sb_swap(&st->planted, 1) || plant(st))
		return;
	/* To a guard nothing is hidden. */
	if (!st->guarded)
		(void)sb_write(&head, &(struct sb_text){"", 0}, 1, NULL, 0, NULL);
}

void sb_plant_later(uint32_t family)
{
	struct sb_recorder *st = sb_self();

	if (!sb_recorder_on() || !sb_load(&st->bypass) || sb_load(&st->sought) & family ||
	    __atomic_fetch_or(&st->sought, family, __ATOMIC_SEQ_CST) & family)
		return;
	plant_later(st, family);
}
