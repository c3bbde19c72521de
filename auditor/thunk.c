#include "auditor/thunk.h"

#ifdef __x86_64__

#include <asm/unistd.h>
#include <linux/fcntl.h>

#include "preload/arch.h"
#include "preload/recorder.h"
#include "preload/str.h"
#include "preload/tell.h"

#define THUNK 16u
#define TRIED 0x7a1ed

/* --- in a call's place ------------------------------------------------------------------------ */

/* What the thunk has pushed, from the last to the first. */
struct frame {
	long rbp, r9, r8, r10, rdx, rsi, rdi, rax;
	uintptr_t site; /* which; then where it goes on */
};

struct planted {
	uintptr_t back;
	struct sb_site site;
};

static struct planted planted[SB_THUNKS];

/* While it is tried out: no call is made, and the way on is to who tries. */
static const struct planted *trying;
extern const char sb_thunk_tried[] __attribute__((visibility("hidden")));

/*
 * As the system call would: all registers stay but rax, rcx and r11, and so do the 128 bytes below
 * the stack's end, which a leaf function may use. The modules touch no vector register.
 */
extern const char sb_linker_thunks[] __attribute__((visibility("hidden")));
__asm__(".pushsection .text\n"
	".balign 16\n"
	"sb_linker_thunks:\n"
	".set sb_linker_thunk, 0\n"
	".rept 8\n" /* SB_THUNKS */
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
_Static_assert(SB_THUNKS == 8, "as many thunks as that");

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
	const struct planted *p = &planted[f->site];
	const struct sb_site *site = &p->site;
	const char *first, *second = (const char *)f->rsi;
	long number = site->number;

	f->site = trying ? (uintptr_t)sb_thunk_tried : p->back;
	if (site->at_cwd) {
		f->rdi = (unsigned)AT_FDCWD;
		/* Nobody comes here with another number; if so, it is no business of ours. */
		if ((unsigned)f->rax != (unsigned long)number)
			return sb_arch_syscall(f->rax, f->rdi, f->rsi, f->rdx, f->r10, f->r8,
					       f->r9);
	}
	first = (const char *)f->rdi;
	if (trying)
		return trying == p && f->rsi == 2 && f->rdx == 3 && f->r10 == 4 && f->r8 == 5 &&
				       f->r9 == 6 && f->rbp == 7
			       ? TRIED
			       : 0;
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

uintptr_t sb_thunk_set(unsigned i, const struct sb_site *site, uintptr_t back)
{
	planted[i].site = *site;
	planted[i].back = back;
	return (uintptr_t)sb_linker_thunks + i * THUNK;
}

/* --- whether it works ------------------------------------------------------------------------- */

/*
 * Goes to `at` with the registers as a call has them, and comes back by the thunk: TRIED where all
 * is as it was, the red zone too, and %rdi is what was expected.
 */
extern long sb_thunk_try(const uint8_t *at, long number, long rdi)
	__attribute__((visibility("hidden")));
__asm__(".pushsection .text\n"
	"sb_thunk_try:\n"
	"	push %rbx\n"
	"	push %rbp\n"
	"	push %r12\n"
	"	push %r13\n"
	"	mov %rsp, %r12\n"
	"	mov %rdi, %rbx\n"
	"	mov %rsi, %rax\n"
	"	mov %rdx, %r13\n"
	"	mov %rbx, -8(%rsp)\n"
	"	mov %rbx, -128(%rsp)\n"
	"	mov $1, %edi\n"
	"	mov $2, %esi\n"
	"	mov $3, %edx\n"
	"	mov $4, %r10d\n"
	"	mov $5, %r8d\n"
	"	mov $6, %r9d\n"
	"	mov $7, %ebp\n"
	"	jmp *%rbx\n"
	"sb_thunk_tried:\n"
	"	cmp %r12, %rsp\n"
	"	jne 2f\n"
	"	cmp %rbx, -8(%rsp)\n"
	"	jne 2f\n"
	"	cmp %rbx, -128(%rsp)\n"
	"	jne 2f\n"
	"	cmp %r13, %rdi\n"
	"	jne 2f\n"
	"	cmp $2, %rsi\n"
	"	jne 2f\n"
	"	cmp $3, %rdx\n"
	"	jne 2f\n"
	"	cmp $4, %r10\n"
	"	jne 2f\n"
	"	cmp $5, %r8\n"
	"	jne 2f\n"
	"	cmp $6, %r9\n"
	"	jne 2f\n"
	"	cmp $7, %rbp\n"
	"	je 3f\n"
	"2:	xor %eax, %eax\n"
	"3:	mov %r12, %rsp\n"
	"	pop %r13\n"
	"	pop %r12\n"
	"	pop %rbp\n"
	"	pop %rbx\n"
	"	ret\n"
	".popsection\n");

bool sb_thunk_works(unsigned i, const uint8_t *at, const uint8_t jump[SB_ENTRY_JUMP])
{
	long rdi = planted[i].site.at_cwd ? (long)(unsigned)AT_FDCWD : 1;
	bool works;

	/* What is no jump would lead on into the linker. */
	for (unsigned b = 0; b < SB_ENTRY_JUMP; b++)
		if (at[b] != jump[b])
			return false;
	trying = &planted[i];
	works = sb_thunk_try(at, planted[i].site.number, rdi) == TRIED;
	trying = NULL;
	return works;
}

#endif
