#include "redirect/map.h"

#include <asm/unistd.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/mman.h>
#include <stdbool.h>

#include "preload/arch.h"

#define PT_LOAD_      1
#define PT_INTERP_    3
#define PT_GNU_STACK_ 0x6474e551u
#define PF_X_	      1u
#define PF_W_	      2u
#define PF_R_	      4u
#define TYPE_FIXED    2 /* ET_EXEC */
#define TYPE_MOVABLE  3 /* ET_DYN */
#define HEADERS_MOST  64

struct file {
	long fd;
	uintptr_t page;
	struct sb_file_header head;
	struct sb_program_header headers[HEADERS_MOST];
};

static long call(long nr, long a, long b, long c, long d, long e, long f)
{
	return sb_arch_syscall(nr, a, b, c, d, e, f);
}

static bool failed(long rc)
{
	return rc < 0 && rc > -4096;
}

static uintptr_t down(const struct file *f, uintptr_t n)
{
	return n & ~(f->page - 1);
}

static uintptr_t up(const struct file *f, uintptr_t n)
{
	return down(f, n + f->page - 1);
}

static int read_at(long fd, void *to, size_t size, uint64_t offset)
{
	long n = call(__NR_pread64, fd, (long)to, (long)size, (long)offset, 0, 0);

	return n == (long)size ? 0 : n < 0 ? (int)n : -ENOEXEC;
}

static int read_headers(struct file *f)
{
	int rc = read_at(f->fd, &f->head, sizeof(f->head), 0);

	if (rc < 0)
		return rc;
	if (f->head.ident[0] != 0x7f || f->head.ident[1] != 'E' || f->head.ident[4] != 2 ||
	    f->head.machine != SB_ARCH_MACHINE || f->head.header_size != sizeof(*f->headers) ||
	    !f->head.header_count || f->head.header_count > HEADERS_MOST ||
	    (f->head.type != TYPE_FIXED && f->head.type != TYPE_MOVABLE))
		return -ENOEXEC;
	return read_at(f->fd, f->headers, f->head.header_count * sizeof(*f->headers),
		       f->head.headers);
}

static int protection(const struct sb_program_header *p)
{
	return (p->flags & PF_R_ ? PROT_READ : 0) | (p->flags & PF_W_ ? PROT_WRITE : 0) |
	       (p->flags & PF_X_ ? PROT_EXEC : 0);
}

/* The whole stretch, so that nothing else comes between the segments. */
static long reserve(const struct file *f, uintptr_t *ret_base)
{
	uintptr_t low = UINTPTR_MAX, high = 0, align = f->page;
	bool fixed = f->head.type == TYPE_FIXED;
	long at;

	for (size_t i = 0; i < f->head.header_count; i++) {
		const struct sb_program_header *p = &f->headers[i];

		if (p->type != PT_LOAD_ || !p->memsz)
			continue;
		low = p->vaddr < low ? p->vaddr : low;
		high = p->vaddr + p->memsz > high ? p->vaddr + p->memsz : high;
		if (p->align > align && !(p->align & (p->align - 1)))
			align = p->align;
	}
	if (low >= high)
		return -ENOEXEC;
	low = down(f, low);
	high = up(f, high);
	if (fixed)
		align = f->page;
	/* Before Linux 4.17 the flag is a hint's: hence the look at what came. */
	at = call(__NR_mmap, fixed ? (long)low : 0, (long)(high - low + align - f->page), PROT_NONE,
		  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (fixed ? MAP_FIXED_NOREPLACE : 0),
		  -1, 0);
	if (failed(at))
		return at;
	if (fixed && (uintptr_t)at != low)
		return -EEXIST;
	uintptr_t start = ((uintptr_t)at + align - 1) & ~(align - 1);
	/* What alignment left over, at both ends. */
	if (start > (uintptr_t)at)
		(void)call(__NR_munmap, at, (long)(start - (uintptr_t)at), 0, 0, 0, 0);
	if (align - f->page > start - (uintptr_t)at)
		(void)call(__NR_munmap, (long)(start + high - low),
			   (long)(align - f->page - (start - (uintptr_t)at)), 0, 0, 0, 0);
	*ret_base = start - (fixed ? start : down(f, low));
	return 0;
}

static void clear(uintptr_t from, uintptr_t to)
{
	for (; from < to; from++)
		*(volatile char *)from = 0;
}

static long map_segment(const struct file *f, const struct sb_program_header *p, uintptr_t base)
{
	uintptr_t start = base + down(f, p->vaddr), file_end = base + p->vaddr + p->filesz;
	uintptr_t end = base + p->vaddr + p->memsz, mapped = up(f, file_end);
	long rc = 0;

	if (p->filesz)
		rc = call(__NR_mmap, (long)start, (long)(file_end - start), protection(p),
			  MAP_PRIVATE | MAP_FIXED, f->fd, (long)down(f, p->offset));
	else
		mapped = start;
	if (failed(rc) || p->memsz <= p->filesz)
		return rc;
	/* All of the page, as the kernel does: the dynamic linker takes what lies behind its own.
	 */
	if (p->filesz && p->flags & PF_W_)
		clear(file_end, mapped);
	if (end > mapped)
		rc = call(__NR_mmap, (long)mapped, (long)(up(f, end) - mapped), protection(p),
			  MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0);
	return rc;
}

static int map_all(const struct file *f, struct sb_image *ret)
{
	long rc = reserve(f, &ret->base);

	for (size_t i = 0; i < f->head.header_count && !failed(rc); i++) {
		const struct sb_program_header *p = &f->headers[i];

		if (p->type == PT_LOAD_ && p->memsz)
			rc = map_segment(f, p, ret->base);
		if (p->type == PT_LOAD_ && f->head.headers >= p->offset &&
		    f->head.headers < p->offset + p->filesz)
			ret->headers = ret->base + p->vaddr + f->head.headers - p->offset;
	}
	ret->entry = ret->base + f->head.entry;
	ret->header_count = f->head.header_count;
	return failed(rc) ? (int)rc : 0;
}

static int read_interp(const struct file *f, struct sb_image *ret)
{
	for (size_t i = 0; i < f->head.header_count; i++) {
		const struct sb_program_header *p = &f->headers[i];

		if (p->type != PT_INTERP_)
			continue;
		if (!p->filesz || p->filesz > sizeof(ret->interp))
			return -ENOEXEC;
		int rc = read_at(f->fd, ret->interp, p->filesz, p->offset);
		ret->interp[p->filesz - 1] = 0;
		return rc;
	}
	return 0;
}

/* The kernel makes the stack executable for programs that say so; the dynamic linker counts on it.
 */
static void allow_stack(const struct file *f)
{
	uintptr_t here = down(f, (uintptr_t)__builtin_frame_address(0));

	for (size_t i = 0; i < f->head.header_count; i++)
		if (f->headers[i].type == PT_GNU_STACK_ && f->headers[i].flags & PF_X_)
			(void)call(__NR_mprotect, (long)here, (long)f->page,
				   PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN, 0, 0, 0);
}

static int open_file(const char *path, struct file *f)
{
	f->fd = call(__NR_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
	return f->fd < 0 ? (int)f->fd : read_headers(f);
}

static void close_file(const struct file *f)
{
	if (f->fd >= 0)
		(void)call(__NR_close, f->fd, 0, 0, 0, 0, 0);
}

int sb_read_interp(const char *path, struct sb_image *ret)
{
	struct file f;
	int rc = open_file(path, &f);

	ret->interp[0] = 0;
	if (rc == 0)
		rc = read_interp(&f, ret);
	close_file(&f);
	return rc == 0 && !ret->interp[0] ? -ENOEXEC : rc;
}

int sb_map_image(const char *path, uintptr_t page, struct sb_image *ret)
{
	struct file f;
	int rc = open_file(path, &f);

	f.page = page;
	ret->interp[0] = 0;
	if (rc == 0)
		rc = read_interp(&f, ret);
	if (rc == 0)
		rc = map_all(&f, ret);
	if (rc == 0 && ret->interp[0])
		allow_stack(&f);
	close_file(&f);
	return rc;
}
