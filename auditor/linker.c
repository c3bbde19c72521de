#include "auditor/linker.h"

#include "auditor/audit.h"
#include "preload/state.h"

#ifdef __x86_64__

#include <asm/unistd.h>
#include <elf.h>
#include <linux/fcntl.h>
#include <sys/mman.h>

#include "auditor/sites.h"
#include "preload/arch.h"
#include "preload/entry.h"
#include "preload/str.h"
#include "preload/tell.h"

#define PAGE	 4096ul
#define IDENTITY 1024u /* of a linker: its headers and notes, the build id among them */
#define SITES	 SB_LINKER_SITES
#define THUNK	 16u

/* --- in a call's place ------------------------------------------------------------------------ */

/* What the thunk has pushed, from the last to the first. */
struct frame {
	long rbp, r9, r8, r10, rdx, rsi, rdi, rax;
	uintptr_t site; /* which; then where it goes on */
};

static struct {
	uintptr_t back;
	struct sb_site site;
} planted[SITES];

/*
 * As the system call would: all registers stay but rax, rcx and r11, and so do the 128 bytes below
 * the stack's end, which a leaf function may use. The modules touch no vector register.
 */
extern const char sb_linker_thunks[] __attribute__((visibility("hidden")));
__asm__(".pushsection .text\n"
	".balign 16\n"
	"sb_linker_thunks:\n"
	".set sb_linker_thunk, 0\n"
	".rept 8\n" /* SITES */
	"	lea -128(%rsp), %rsp\n"
	"	push $sb_linker_thunk\n"
	"	jmp 1f\n"
	"	.balign 16\n" /* THUNK */
	"	.set sb_linker_thunk, sb_linker_thunk + 1\n"
	".endr\n"
	"1:	push %rax\n"
	"	push %rdi\n"
	"	push %rsi\n"
	"	push %rdx\n"
	"	push %r10\n"
	"	push %r8\n"
	"	push %r9\n"
	"	push %rbp\n"
	"	mov %rsp, %rdi\n"
	"	mov %rsp, %rbp\n"
	"	and $-16, %rsp\n"
	"	call sb_linker_call\n"
	"	mov %rbp, %rsp\n"
	"	pop %rbp\n"
	"	pop %r9\n"
	"	pop %r8\n"
	"	pop %r10\n"
	"	pop %rdx\n"
	"	pop %rsi\n"
	"	pop %rdi\n"
	"	pop %rcx\n" /* rax is the answer */
	"	pop %rcx\n"
	"	lea 128(%rsp), %rsp\n"
	"	jmp *%rcx\n"
	".popsection\n");
_Static_assert(SITES == 8, "as many thunks as sites");

static long told_open(int dirfd, const char *path, uint64_t flags, const struct frame *f, long nr)
{
	long raw;

	/* The linker's profile (LD_PROFILE): who was there first is the guard's to find out. */
	if (flags & O_CREAT)
		return sb_arch_syscall(nr, f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9);
	raw = sb_call(nr, f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9);
	sb_tell_open(dirfd, path, flags, 0, raw);
	return raw;
}

static long told_look(int dirfd, const char *path, uint8_t flags, const struct frame *f, long nr)
{
	long raw = sb_call(nr, f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9);

	sb_tell(SB_STAT, dirfd, path, flags, raw);
	return raw;
}

long sb_linker_call(struct frame *f) __attribute__((used));
long sb_linker_call(struct frame *f)
{
	const struct sb_site *site = &planted[f->site].site;
	const char *first, *second = (const char *)f->rsi;
	long number = site->number;

	f->site = planted[f->site].back;
	if (site->at_cwd) {
		f->rdi = (unsigned)AT_FDCWD;
		/* Nobody comes here with another number; if so, it is no business of ours. */
		if ((unsigned)f->rax != (unsigned long)number)
			return sb_arch_syscall(f->rax, f->rdi, f->rsi, f->rdx, f->r10, f->r8,
					       f->r9);
	}
	first = (const char *)f->rdi;
	switch (number) {
	case __NR_open:
		return told_open(AT_FDCWD, first, (unsigned)f->rsi, f, number);
	case __NR_openat:
		return told_open((int)f->rdi, second, (unsigned)f->rdx, f, number);
	case __NR_lstat:
		return told_look(AT_FDCWD, first, SB_REC_NOFOLLOW, f, number);
	case __NR_newfstatat:
		return told_look((int)f->rdi, second,
				 f->r10 & AT_SYMLINK_NOFOLLOW ? SB_REC_NOFOLLOW : 0, f, number);
	default:
		return told_look(AT_FDCWD, first, 0, f, number);
	}
}

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

void sb_linker_plant(void)
{
	struct sb_recorder *st = sb_self();
	uint8_t jumps[SITES][SB_ENTRY_JUMP];
	uint32_t sites[SITES];
	struct linker linker;
	uintptr_t from = UINTPTR_MAX, to = 0;
	unsigned count;

	if (!sb_load(&st->gate) || sb_load(&st->sandboxed) || !find_linker(&linker))
		return;
	count = sites_of(st->log, &linker, sites);
	for (unsigned i = 0; i < count; i++) {
		uintptr_t at = (uintptr_t)linker.text + sites[i];

		/* The log is writable to every traced process: looked at once more. */
		if (sites[i] < SB_SITE_BEFORE || sites[i] + SB_SITE_LENGTH > linker.size)
			return;
		planted[i].back = at + SB_SITE_LENGTH;
		if (!sb_site_read((const uint8_t *)at, &planted[i].site) ||
		    !sb_entry_jump(at, (uintptr_t)sb_linker_thunks + i * THUNK, jumps[i]))
			return;
		from = at < from ? at : from;
		to = at + SB_ENTRY_JUMP > to ? at + SB_ENTRY_JUMP : to;
	}
	from = from / PAGE * PAGE;
	to = (to + PAGE - 1) / PAGE * PAGE;
	/* Executable all the while, as in preload/plant.c: refused right away where it is refused.
	 */
	if (!count || !protect(from, to, PROT_READ | PROT_WRITE | PROT_EXEC))
		return;
	for (unsigned i = 0; i < count; i++)
		__builtin_memcpy((void *)((uintptr_t)linker.text + sites[i]), jumps[i],
				 SB_ENTRY_JUMP);
	(void)protect(from, to, PROT_READ | PROT_EXEC);
}

#else

void sb_linker_plant(void)
{
}

#endif
