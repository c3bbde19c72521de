/*
 * What the kernel put on the stack: argc, the arguments, NULL, the environment, NULL, and the
 * auxiliary vector, in one piece (System V ABI, "Process Initialization"), above everything that
 * the dynamic linker has pushed since. ld.so's own word for it, __libc_stack_end, would have to be
 * asked of ld.so by name: to need it costs every exec ten system calls and as many page faults.
 */
#include "auditor/audit.h"

#include <elf.h>
#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "preload/arch.h"
#include "preload/recorder.h"

#define ALIGN	   16	       /* of the stack where a program begins */
#define MOST	   (1ul << 20) /* what ld.so may have pushed */
#define KEYS	   1024	       /* more than any machine's AT_* */
#define PAGE_LEAST 4096

/* Whatever the stack holds is read, the redzones of a sanitizer in a test too. */
#define ANYWHERE __attribute__((no_sanitize_address))

/* A walk upwards; `end`: up to there all is mapped, as far as was asked. */
struct walk {
	uintptr_t end;
	bool over; /* the stack's top was reached */
};

/*
 * Without touching it, and by a call that ld.so makes itself: a sandbox lets it pass. No stack
 * grows up on our machines: the kernel refuses with EINVAL what is there, with ENOMEM what is not.
 */
static bool is_mapped(uintptr_t page)
{
	return sb_raw(SYS_mprotect, (long)page, PAGE_LEAST, PROT_READ | PROT_GROWSUP, 0, 0, 0) ==
	       -EINVAL;
}

/* Whether the word at `p` may be read. */
static bool reach(struct walk *w, const uintptr_t *p)
{
	while (!w->over && (uintptr_t)(p + 1) > w->end) {
		w->over = !is_mapped(w->end);
		w->end += w->over ? 0 : PAGE_LEAST;
	}
	return !w->over;
}

/* `count` pointers to what lies further up, and NULL: what is behind it, or NULL. */
ANYWHERE static const uintptr_t *skip_arguments(struct walk *w, const uintptr_t *p, uintptr_t count)
{
	for (; count && reach(w, p) && *p > (uintptr_t)p; count--)
		p++;
	return count || !reach(w, p) || *p ? NULL : p + 1;
}

/* ld.so has put copies of its own elsewhere in place of some (GLIBC_TUNABLES). */
ANYWHERE static const uintptr_t *skip_variables(struct walk *w, const uintptr_t *p)
{
	while (reach(w, p) && *p)
		p++;
	return w->over ? NULL : p + 1;
}

/* What every kernel tells every program. */
ANYWHERE static bool is_auxv(struct walk *w, const ElfW(auxv_t) * a)
{
	bool headers = false, entry = false, page = false;

	for (;; a++) {
		if (!reach(w, (const uintptr_t *)a + 1) || a->a_type >= KEYS)
			return false;
		if (a->a_type == AT_NULL)
			return headers && entry && page;
		headers |= a->a_type == AT_PHDR && a->a_un.a_val;
		entry |= a->a_type == AT_ENTRY && a->a_un.a_val;
		page |= a->a_type == AT_PAGESZ && a->a_un.a_val >= PAGE_LEAST;
	}
}

ANYWHERE static bool begins_at(struct walk *w, const uintptr_t *p, struct sb_image *ret)
{
	const uintptr_t *argv = p + 1, *envp, *auxv;

	envp = reach(w, p) ? skip_arguments(w, argv, *p) : NULL;
	auxv = envp ? skip_variables(w, envp) : NULL;
	if (!auxv || !is_auxv(w, (const ElfW(auxv_t) *)auxv))
		return false;
	ret->argv = (char **)(uintptr_t)argv;
	ret->envp = (char **)(uintptr_t)envp;
	ret->auxv = (const ElfW(auxv_t) *)auxv;
	return true;
}

static bool find(const void *frame, struct sb_image *ret)
{
	uintptr_t at = ((uintptr_t)frame + ALIGN - 1) / ALIGN * ALIGN;
	struct walk w = {.end = ((uintptr_t)frame / PAGE_LEAST + 1) * PAGE_LEAST};

	for (uintptr_t end = at + MOST; at < end && !w.over; at += ALIGN)
		if (begins_at(&w, (const uintptr_t *)at, ret))
			return true;
	return false;
}

/* Words are read that nobody has set: under valgrind these would be the program's own errors. */
static void count_errors(bool count)
{
	const uint64_t request[6] = {0x1801 /* CHANGE_ERR_DISABLEMENT */, count ? -1ul : 1ul};

	sb_arch_valgrind(request);
}

bool sb_image_find(const void *frame, struct sb_image *ret)
{
	count_errors(false);
	bool found = find(frame, ret);
	count_errors(true);
	return found;
}
