#include "auditor/libctext.h"

#include "auditor/audit.h"

#ifdef __x86_64__

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "preload/around.h"
#include "preload/cancel.h"
#include "preload/environ.h"
#include "preload/inspect.h"
#include "preload/leaf.h"
#include "preload/next.h"
#include "preload/start.h"
#include "preload/str.h"
#include "preload/tell.h"
#include "preload/told.h"
#include "preload/write.h"
#include "tracer/libctext.h"

#define LIBC "libc.so.6"
#define PAGE 4096ul

static struct sb_libctext table;

static struct {
	char *part; /* of the environment: where our preload was; NULL: it is left there */
	char was;
	uintptr_t base; /* libc's, once its text is ours; 0 before */
} now;

/* --- in a system call's place ----------------------------------------------------------------- */

/* What was pushed, from the last to the first. */
struct frame {
	long rbp, r9, r8, r10, rdx, rsi, rdi, rax;
	uintptr_t site; /* which; then where it goes on */
};

/* Where these go on, which have no stack to keep it on. */
uintptr_t sb_libctext_after_syscall __attribute__((visibility("hidden")));
uintptr_t sb_libctext_clone __attribute__((visibility("hidden")));
uintptr_t sb_libctext_dlmopen __attribute__((visibility("hidden")));

void sb_libctext_site(struct frame *f) __attribute__((used));
void sb_libctext_site(struct frame *f)
{
	uintptr_t site = f->site;

	f->site = now.base + table.site[site].back;
	f->rax = sb_told(table.site[site].number, f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9);
}

/* False: the call is yet to be made. */
bool sb_libctext_syscall(struct frame *f) __attribute__((used));
bool sb_libctext_syscall(struct frame *f)
{
	if (f->rax == SYS_prctl || f->rax == SYS_seccomp)
		sb_told_filter(f->rax, f->rdi, f->rsi, f->rdx);
	else if (sb_told_knows(f->rax)) {
		f->rax = sb_told(f->rax, f->rdi, f->rsi, f->rdx, f->r10, f->r8, f->r9);
		return true;
	}
	return false;
}

/* Two processes that share one idea of where they stand. */
void sb_libctext_cloned(const struct frame *f) __attribute__((used));
void sb_libctext_cloned(const struct frame *f)
{
	if ((f->rdi & (CLONE_FS | CLONE_THREAD)) == CLONE_FS && sb_recorder_on())
		sb_record_wanders(true);
}

/* What is sought for a namespace of its own, or for a named one, ld.so does not ask us about. */
void sb_libctext_sought(const struct frame *f) __attribute__((used));
void sb_libctext_sought(const struct frame *f)
{
	const struct sb_access access = {.kind = SB_SEARCH,
					 .dirfd = AT_FDCWD,
					 .path = (const char *)f->rsi,
					 .outcome = ENOENT,
					 .fd = -1};

	if (access.path && sb_strchr(access.path, '/') &&
	    sb_record_existed(AT_FDCWD, access.path) == SB_REC_NEW)
		sb_record(&access);
}

/*
 * As the system call would: all registers stay but rax, rcx and r11, and so do the 128 bytes below
 * the stack's end, which a leaf function may use. Who unwinds a thread finds in rbp where it all
 * began.
 */
extern const char sb_libctext_enter_site[] __attribute__((visibility("hidden")));
extern const char sb_libctext_enter_syscall[] __attribute__((visibility("hidden")));
extern const char sb_libctext_enter_clone[] __attribute__((visibility("hidden")));
extern const char sb_libctext_enter_dlmopen[] __attribute__((visibility("hidden")));
__asm__(".pushsection .text\n"
	".macro sb_begin name\n"
	"	.balign 16\n"
	"	.type \\name, @function\n"
	"\\name:\n"
	"	.cfi_startproc simple\n"
	"	.cfi_def_cfa %rbp, 200\n"
	"	.cfi_offset %rip, -136\n"
	"	.cfi_offset %rbp, -200\n"
	".endm\n"
	".macro sb_end name\n"
	"	.cfi_endproc\n"
	"	.size \\name, .-\\name\n"
	".endm\n"
	".macro sb_save\n"
	"	lea -128(%rsp), %rsp\n"
	"	push %rax\n" /* the site */
	"	push %rax\n"
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
	".endm\n"
	".macro sb_restore\n"
	"	mov %rbp, %rsp\n"
	"	pop %rbp\n"
	"	pop %r9\n"
	"	pop %r8\n"
	"	pop %r10\n"
	"	pop %rdx\n"
	"	pop %rsi\n"
	"	pop %rdi\n"
	"	pop %rax\n"
	"	pop %rcx\n"
	"	lea 128(%rsp), %rsp\n"
	".endm\n"

	"sb_begin sb_libctext_enter_site\n"
	"	movzbl %al, %eax\n"
	"	sb_save\n"
	"	call sb_libctext_site\n"
	"	sb_restore\n"
	"	jmp *%rcx\n"
	"sb_end sb_libctext_enter_site\n"

	"sb_begin sb_libctext_enter_syscall\n"
	"	mov 8(%rsp), %r9\n"
	"	sb_save\n"
	"	mov sb_libctext_after_syscall(%rip), %rcx\n"
	"	mov %rcx, 64(%rbp)\n"
	"	call sb_libctext_syscall\n"
	"	test %al, %al\n"
	"	jnz 1f\n"
	"	sb_restore\n"
	"	syscall\n"
	"	jmp *sb_libctext_after_syscall(%rip)\n"
	"1:	sb_restore\n"
	"	jmp *%rcx\n"
	"sb_end sb_libctext_enter_syscall\n"

	"sb_begin sb_libctext_enter_clone\n"
	"	sb_save\n"
	"	call sb_libctext_cloned\n"
	"	sb_restore\n"
	"	mov $56, %eax\n" /* SYS_clone */
	"	jmp *sb_libctext_clone(%rip)\n"
	"sb_end sb_libctext_enter_clone\n"

	"sb_begin sb_libctext_enter_dlmopen\n"
	"	sb_save\n"
	"	call sb_libctext_sought\n"
	"	sb_restore\n"
	"	jmp *sb_libctext_dlmopen(%rip)\n"
	"sb_end sb_libctext_enter_dlmopen\n"
	".popsection\n");

/* --- in a function's place -------------------------------------------------------------------- */

static int enter_open(const char *path, int flags, unsigned mode)
{
	return (int)sb_errno_return(sb_leaf_openat(AT_FDCWD, path, flags, mode, true));
}

static int enter_openat(int dirfd, const char *path, int flags, unsigned mode)
{
	return (int)sb_errno_return(sb_leaf_openat(dirfd, path, flags, mode, true));
}

static int enter_creat(const char *path, unsigned mode)
{
	return enter_open(path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

static int enter_connect(int fd, const void *address, unsigned size)
{
	int type = sb_cancel_begin();
	long raw = sb_call(SYS_connect, fd, (long)address, size, 0, 0, 0);

	sb_cancel_end(type);
	sb_tell_socket(address, size, false, raw);
	return (int)sb_errno_return(raw);
}

static int enter_open_nocancel(const char *path, int flags, unsigned mode)
{
	return (int)sb_errno_return(sb_leaf_openat(AT_FDCWD, path, flags, mode, false));
}

/* libc has it from 2.43 on. */
static int enter_openat2(int dirfd, const char *path, const void *how, unsigned long size)
{
	int type = sb_cancel_begin();
	long raw = sb_told(SYS_openat2, dirfd, (long)path, (long)how, (long)size, 0, 0);

	sb_cancel_end(type);
	return (int)sb_errno_return(raw);
}

/* --- how it comes there ----------------------------------------------------------------------- */

/*
 * Not where we may make no call that ld.so would not make, nor under a guard without the bypass to
 * call from; nor where the image began again for another reason: it shall not do so for ever.
 */
void sb_libctext_begin(void)
{
	struct sb_recorder *st = sb_self();

	if (!sb_load(&st->log->libctext) || (st->guarded && !st->bypass) ||
	    sb_load(&st->sandboxed) || sb_flag(st, 'p') || sb_flag(st, 'm') || sb_flag(st, 't') ||
	    !sb_image_auxv(AT_BASE))
		return;
	now.part = sb_env_preload_part(sb_image.envp, st->modules);
	if (!now.part)
		return;
	/* ld.so keeps a pointer to the value, and has not looked at it yet. */
	now.was = *now.part;
	*now.part = 0;
}

void sb_libctext_give_back(void)
{
	if (now.part)
		*now.part = now.was;
	now.part = NULL;
}

/* Whether it is our tracer's: where it lies, others may put theirs. */
static bool is_its(const struct sb_recorder *st, long fd)
{
	struct stat file;

	return sb_raw(SYS_fstat, fd, (long)&file, 0, 0, 0, 0) == 0 && S_ISREG(file.st_mode) &&
	       !(file.st_mode & (S_IWGRP | S_IWOTH)) && file.st_uid == st->log->owner;
}

static long open_on_disk(const struct sb_recorder *st)
{
	const char *end = sb_basename(st->log_path) - 1, *from = end;
	char path[sizeof(SB_LIBCTEXT_DISK) + 32];
	size_t at = 0;
	long fd;

	while (from > st->log_path && from[-1] != '-')
		from--;
	(void)sb_puts(path, sizeof(path), &at, SB_LIBCTEXT_DISK);
	if (!sb_put(path, sizeof(path), &at, from, (size_t)(end - from)))
		return -ENAMETOOLONG;
	fd = sb_raw(SYS_openat, AT_FDCWD, (long)path,
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0, 0, 0);
	if (fd < 0 || is_its(st, fd))
		return fd;
	(void)sb_raw(SYS_close, fd, 0, 0, 0, 0, 0);
	return -EPERM;
}

static long open_beside(const struct sb_recorder *st)
{
	size_t len = (size_t)(sb_basename(st->log_path) - st->log_path), at = 0;
	size_t size = len + sizeof(SB_LIBCTEXT_NAME);
	/* As much as it takes: one more page of the stack would be a page fault. */
	char *path = __builtin_alloca(size);

	(void)sb_put(path, size, &at, st->log_path, len);
	(void)sb_puts(path, size, &at, SB_LIBCTEXT_NAME);
	return sb_raw(SYS_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
}

static uint64_t text_size(const struct link_map *map)
{
	const ElfW(Ehdr) *e = (const ElfW(Ehdr) *)map->l_addr;
	const ElfW(Phdr) *p = (const ElfW(Phdr) *)(map->l_addr + e->e_phoff);

	for (unsigned i = 0; i < e->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_flags == (PF_R | PF_X))
			return (p[i].p_filesz + PAGE - 1) / PAGE * PAGE;
	return 0;
}

/* That it is the very libc whose text is in the file, and no other file. */
static bool fits(const struct link_map *map, long fd)
{
	uint64_t size = text_size(map);

	return sb_raw(SYS_pread64, fd, (long)&table, sizeof(table), (long)size, 0, 0) ==
		       (long)sizeof(table) &&
	       table.magic == SB_LIBCTEXT_MAGIC && table.size == size &&
	       table.sites <= SB_LIBCTEXT_SITES &&
	       table.identity == sb_libctext_identity((const void *)map->l_addr);
}

static bool take(const struct link_map *map, long fd)
{
	uintptr_t *slots = (uintptr_t *)(map->l_addr + table.slots);
	long place = (long)(map->l_addr + table.text);

	if (sb_raw(SYS_mmap, place, (long)table.size, PROT_READ | PROT_EXEC,
		   MAP_PRIVATE | MAP_FIXED, fd, 0) != place)
		return false;
	now.base = map->l_addr;
	sb_store(&sb_self()->alone, 1);
	sb_next_in(map);
	sb_errno_at((int *(*)(void))(map->l_addr + table.errno_at));
	sb_libctext_after_syscall = map->l_addr + table.after_syscall;
	sb_libctext_clone = map->l_addr + table.clone;
	sb_libctext_dlmopen = map->l_addr + table.dlmopen;
	slots[SB_SLOT_SITE] = (uintptr_t)sb_libctext_enter_site;
	slots[SB_SLOT_SYSCALL] = (uintptr_t)sb_libctext_enter_syscall;
	slots[SB_SLOT_CLONE] = (uintptr_t)sb_libctext_enter_clone;
	slots[SB_SLOT_DLMOPEN] = (uintptr_t)sb_libctext_enter_dlmopen;
	slots[SB_SLOT_OPEN] = (uintptr_t)enter_open;
	slots[SB_SLOT_OPENAT] = (uintptr_t)enter_openat;
	slots[SB_SLOT_CREAT] = (uintptr_t)enter_creat;
	slots[SB_SLOT_CONNECT] = (uintptr_t)enter_connect;
	slots[SB_SLOT_OPEN_NOCANCEL] = (uintptr_t)enter_open_nocancel;
	slots[SB_SLOT_OPENAT2] = (uintptr_t)enter_openat2;
	return true;
}

static bool take_from(const struct link_map *map, long fd)
{
	bool taken = fd >= 0 && fits(map, fd) && take(map, fd);

	if (fd >= 0)
		(void)sb_raw(SYS_close, fd, 0, 0, 0, 0, 0);
	return taken;
}

static bool take_any(const struct link_map *map)
{
	struct sb_recorder *st = sb_self();
	uint32_t at = sb_load(&st->log->libctext);

	return (at & SB_LIBCTEXT_ON_DISK && take_from(map, open_on_disk(st))) ||
	       (at & SB_LIBCTEXT_BESIDE && take_from(map, open_beside(st)));
}

/* Another libc, or none of its text to be had: once more with the preload, now and from now on. */
static void again_with_preload(void)
{
	struct sb_recorder *st = sb_self();
	const struct sb_env_want want = {.modules = st->modules,
					 .log = st->log_path,
					 .flags = sb_flags_with(st, 'p'),
					 .token = st->token,
					 .preload = true,
					 .audit = true,
					 .trace = true};
	const struct sb_rec head = {.kind = SB_REC_BLIND,
				    .dirfd = AT_FDCWD,
				    .value = SB_BLIND_UNREACHABLE,
				    .arg = st->token};
	const char *name = (const char *)sb_image_auxv(AT_EXECFN);
	struct sb_program program;

	sb_libctext_give_back();
	if (sb_inspect(st->log, AT_FDCWD, "/proc/self/exe", 0, &program) == 0)
		sb_inspect_note(st->log, program.key, SB_PROG_PRELOAD);
	sb_again(&want);
	(void)sb_write(&head, (struct sb_text[]){{name, sb_strlen(name)}}, 1, NULL, 0, NULL);
}

void sb_libctext_opened(const struct link_map *map)
{
	const char *base = sb_basename(map->l_name);

	if (!now.part || now.base)
		return;
	if (sb_streq(base, SB_PRELOAD_NAME)) {
		sb_libctext_give_back();
		return;
	}
	if (!sb_streq(base, LIBC))
		return;
	if (!take_any(map))
		again_with_preload();
}

bool sb_libctext_settled(void)
{
	/* A program without a libc has nothing to be preloaded for. */
	bool ours = now.part != NULL;

	sb_libctext_give_back();
	return ours;
}

#else

void sb_libctext_begin(void)
{
}

void sb_libctext_opened(const struct link_map *map)
{
	(void)map;
}

void sb_libctext_give_back(void)
{
}

bool sb_libctext_settled(void)
{
	return false;
}

#endif
