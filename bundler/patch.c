#include "bundler/patch.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/x86.h"
#include "common/cleanup.h"
#include "redirect/index.h"
#include "tracer/syscalls.h"

#define PAGE	  4096u
#define JUMP	  5  /* e9 and a distance */
#define MOST_BACK 12 /* instructions that are remembered */

enum mark { TARGET = 1 };

/* One executable section, being swept. */
struct sweep {
	struct sb_patch *patch;
	const uint8_t *code;
	uint8_t *to;	/* the same bytes in the copy */
	uint8_t *marks; /* one for each byte */
	size_t size;
	uint64_t address; /* of code[0] */
	/* The straight line so far: where its last instructions begin. */
	size_t back[MOST_BACK], count;
	struct sb_buf *out; /* code of our own, and where it will be */
	uint64_t out_address;
	int rc;
};

static void emit(struct sweep *s, const void *bytes, size_t len)
{
	if (s->rc == 0)
		s->rc = sb_buf_add(s->out, bytes, len);
}

static void emit_distance(struct sweep *s, const char *op, size_t len, uint64_t to)
{
	int32_t far;

	emit(s, op, len);
	far = (int32_t)(to - (s->out_address + s->out->len + sizeof far));
	emit(s, &far, sizeof far);
}

/* Below the red zone, through a register that the kernel does not keep either. */
static void emit_gate(struct sweep *s, enum sb_gate gate)
{
	uint64_t address = s->patch->gates + (uint64_t)gate * SB_GATE_STEP;

	emit(s, "\x48\x8d\x64\x24\x80", 5); /* lea -128(%rsp), %rsp */
	emit(s, "\x49\xbb", 2);		    /* movabs $address, %r11 */
	emit(s, &address, sizeof address);
	emit(s, "\x41\xff\xd3", 3);			/* call *%r11 */
	emit(s, "\x48\x8d\xa4\x24\x80\x00\x00\x00", 8); /* lea 128(%rsp), %rsp */
}

/* The jump to what is about to be emitted, in the place of `len` bytes. */
static void jump_there(struct sweep *s, size_t at, size_t len)
{
	int32_t far = (int32_t)(s->out_address + s->out->len - (s->address + at + JUMP));

	s->to[at] = 0xe9;
	memcpy(s->to + at + 1, &far, sizeof far);
	memset(s->to + at + JUMP, 0x90, len - JUMP);
	s->patch->places++;
}

/* Nobody jumps into the middle of what is to be replaced. */
static bool is_straight(const struct sweep *s, size_t from, size_t to)
{
	for (size_t i = from + 1; i < to; i++)
		if (s->marks[i] & TARGET)
			return false;
	return true;
}

/* How much from `at` on can be moved elsewhere, at least `want` bytes; 0: not so much. */
static size_t movable(const struct sweep *s, size_t at, size_t want, size_t *ret_copy)
{
	size_t end = at;
	struct sb_x86 insn;

	*ret_copy = 0;
	while (end - at < want) {
		if (!sb_x86_decode(s->code + end, s->size - end, &insn))
			return 0;
		/* After a return nothing goes on: what fills up to the next function may go. */
		if (insn.is_return) {
			end += insn.len;
			*ret_copy = end - at;
			while (end - at < want &&
			       sb_x86_decode(s->code + end, s->size - end, &insn) && insn.is_nop)
				end += insn.len;
			return end - at >= want ? end - at : 0;
		}
		if (insn.moves || insn.placed)
			return 0;
		end += insn.len;
	}
	*ret_copy = end - at;
	return end - at;
}

/* mov $number, %eax right before. */
static bool patch_before(struct sweep *s, size_t at)
{
	size_t mov = at - JUMP;

	if (!s->count || s->back[s->count - 1] != mov || s->code[mov] != 0xb8 ||
	    !is_straight(s, mov, at + 2))
		return false;
	jump_there(s, mov, JUMP + 2);
	emit(s, s->code + mov, JUMP);
	emit_gate(s, s->patch->linker ? SB_GATE_LINKER : SB_GATE_LIBC);
	emit_distance(s, "\xe9", 1, s->address + at + 2);
	return true;
}

/* What comes after goes along. */
static bool patch_after(struct sweep *s, size_t at)
{
	size_t copy, len = movable(s, at + 2, JUMP - 2, &copy);

	if (!len || !is_straight(s, at, at + 2 + len))
		return false;
	jump_there(s, at, 2 + len);
	emit_gate(s, s->patch->linker ? SB_GATE_LINKER : SB_GATE_LIBC);
	emit(s, s->code + at + 2, copy);
	emit_distance(s, "\xe9", 1, s->address + at + 2 + len);
	return true;
}

/*
 * A number that only the caller knows: what comes before goes along, the gate is asked, and the
 * instruction stays where it is. It may be one that returns twice, or that a cancellation looks
 * for.
 */
static bool patch_asking(struct sweep *s, size_t at)
{
	size_t from = at, len;
	struct sb_x86 insn;

	for (size_t i = s->count; i && at - from < JUMP; i--) {
		from = s->back[i - 1];
		if (!sb_x86_decode(s->code + from, s->size - from, &insn) || insn.placed)
			return false;
	}
	len = at - from;
	if (len < JUMP || !is_straight(s, from, at + 1))
		return false;
	jump_there(s, from, len);
	emit(s, s->code + from, len);
	emit_gate(s, s->patch->linker ? SB_GATE_ASK_LINKER : SB_GATE_ASK_LIBC);
	emit_distance(s, "\x0f\x84", 2, s->address + at);
	emit_distance(s, "\xe9", 1, s->address + at + 2);
	return true;
}

/* The number in eax; -1: it comes from elsewhere. */
static long number_at(const struct sweep *s)
{
	int32_t nr;

	for (size_t i = s->count; i; i--) {
		const uint8_t *p = s->code + s->back[i - 1];

		if (i < s->count && s->marks[s->back[i]] & TARGET)
			return -1;
		if (p[0] == 0xb8) {
			memcpy(&nr, p + 1, sizeof nr);
			return nr;
		}
		if (p[0] == 0x48 && p[1] == 0xc7 && p[2] == 0xc0) {
			memcpy(&nr, p + 3, sizeof nr);
			return nr;
		}
		/* Some other way into eax. */
		if ((p[0] == 0x89 && (p[1] & 0xc7) == 0xc0) || (p[0] == 0x8b && !(p[1] & 0x38)) ||
		    (p[0] == 0x31 && p[1] == 0xc0))
			return -1;
	}
	return -1;
}

static bool names_path(long nr)
{
	const struct sb_syscall *call = sb_syscall_find(SB_ABI_X86_64, nr);

	/* getcwd, getsockname and getpeername are told names, and may not see real ones; getdents64
	 * lists two directories as one; fchdir is heard of. */
	if (nr == 79 || nr == 51 || nr == 52 || nr == 81 || nr == 217)
		return true;
	if (!call)
		return false;
	switch (call->act) {
	case SB_ACT_ACCESS:
	case SB_ACT_ATTRIBUTE:
	case SB_ACT_OPEN:
	case SB_ACT_OPENAT2:
	case SB_ACT_EXEC:
	case SB_ACT_CHDIR:
	case SB_ACT_TWO:
		return true;
	default:
		return false;
	}
}

/*
 * Seldom ours: the question is enough, and the call stays where it stands, where a cancellation
 * finds it, and where a thread may end that gives its own stack back. connect, sendto, sendmsg and
 * bind may name a path; mprotect, munmap and mremap are heard of.
 */
static bool is_asked_about(long nr)
{
	return nr == 42 || nr == 44 || nr == 46 || nr == 49 || nr == 10 || nr == 11 || nr == 25;
}

static void patch_place(struct sweep *s, size_t at)
{
	long nr = number_at(s);

	if (nr < 0) {
		(void)patch_asking(s, at); /* mostly futex and its like: no loss */
		return;
	}
	if (is_asked_about(nr)) {
		s->patch->left += !patch_asking(s, at);
		return;
	}
	if (names_path(nr) && !patch_before(s, at) && !patch_after(s, at) && !patch_asking(s, at))
		s->patch->left++;
}

/* Two passes: where jumps go to, then what is to be replaced. */
static void sweep(struct sweep *s, bool replace)
{
	struct sb_x86 insn;

	s->count = 0;
	for (size_t at = 0; at < s->size && s->rc == 0; at += insn.len) {
		if (!sb_x86_decode(s->code + at, s->size - at, &insn)) {
			insn.len = 1; /* data, or an instruction that we do not know */
			s->count = 0;
			continue;
		}
		int64_t target = (int64_t)at + insn.target;
		if (!replace && insn.has_target && target >= 0 && (uint64_t)target < s->size)
			s->marks[target] |= TARGET;
		if (replace && insn.is_syscall)
			patch_place(s, at);
		if (insn.moves) {
			s->count = 0;
			continue;
		}
		if (s->count == MOST_BACK)
			memmove(s->back, s->back + 1, --s->count * sizeof *s->back);
		s->back[s->count++] = at;
	}
}

/* --- the file --------------------------------------------------------------------------------- */

struct image {
	const uint8_t *bytes;
	size_t size;
	const Elf64_Ehdr *head;
	const Elf64_Phdr *headers;
	const Elf64_Shdr *sections;
};

static int look_at(const void *bytes, size_t size, struct image *ret, struct sb_err *err)
{
	const Elf64_Ehdr *e = bytes;

	*ret = (struct image){.bytes = bytes, .size = size, .head = e};
	if (size < sizeof *e || memcmp(e->e_ident, ELFMAG, SELFMAG) != 0 ||
	    e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_machine != EM_X86_64 ||
	    e->e_phentsize != sizeof(Elf64_Phdr) || e->e_shentsize != sizeof(Elf64_Shdr))
		return sb_fail(err, SB_ESAID, "no ELF file for x86_64 with sections");
	if (e->e_phoff > size || (size - e->e_phoff) / sizeof(Elf64_Phdr) < e->e_phnum ||
	    e->e_shoff > size || (size - e->e_shoff) / sizeof(Elf64_Shdr) < e->e_shnum ||
	    e->e_phoff % 8 || e->e_shoff % 8)
		return sb_fail(err, SB_ESAID, "its headers lie outside of it");
	ret->headers = (const Elf64_Phdr *)(ret->bytes + e->e_phoff);
	ret->sections = (const Elf64_Shdr *)(ret->bytes + e->e_shoff);
	return 0;
}

uint64_t sb_patch_gates(const void *bytes, size_t size)
{
	struct sb_err ignored = SB_ERR_INIT;
	struct image image;

	return look_at(bytes, size, &image, &ignored) < 0 ? 0 : image.head->e_entry;
}

static uint64_t page_up(uint64_t n)
{
	return (n + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

static uint64_t end_of(const struct image *image)
{
	uint64_t end = 0;

	for (size_t i = 0; i < image->head->e_phnum; i++) {
		const Elf64_Phdr *p = &image->headers[i];

		if (p->p_type == PT_LOAD && p->p_vaddr + p->p_memsz > end)
			end = p->p_vaddr + p->p_memsz;
	}
	return page_up(end);
}

/* A header that nobody misses in a library: what would start it as a program, or a note. */
static size_t spare_header(const struct image *image)
{
	static const uint32_t types[] = {PT_INTERP, PT_NOTE, PT_GNU_PROPERTY};

	for (size_t t = 0; t < sizeof types / sizeof *types; t++)
		for (size_t i = image->head->e_phnum; i; i--)
			if (image->headers[i - 1].p_type == types[t])
				return i - 1;
	return image->head->e_phnum;
}

/* In the place of the spare one, but after the last that is loaded: they stand in order. */
static int add_segment(const struct image *image, uint8_t *to, const Elf64_Phdr *segment,
		       struct sb_err *err)
{
	Elf64_Phdr *headers = (Elf64_Phdr *)(to + image->head->e_phoff);
	size_t count = image->head->e_phnum, spare = spare_header(image), last = 0;

	if (spare == count)
		return sb_fail(err, SB_ESAID, "it has no room for one more segment");
	memmove(headers + spare, headers + spare + 1, (count - spare - 1) * sizeof *headers);
	for (size_t i = 0; i + 1 < count; i++)
		if (headers[i].p_type == PT_LOAD)
			last = i + 1;
	memmove(headers + last + 1, headers + last, (count - 1 - last) * sizeof *headers);
	headers[last] = *segment;
	return 0;
}

static int sweep_sections(const struct image *image, uint8_t *to, struct sb_patch *patch,
			  uint64_t address, struct sb_buf *out, struct sb_err *err)
{
	for (size_t i = 0; i < image->head->e_shnum; i++) {
		const Elf64_Shdr *sh = &image->sections[i];

		if (sh->sh_type != SHT_PROGBITS || !(sh->sh_flags & SHF_EXECINSTR))
			continue;
		if (sh->sh_offset > image->size || image->size - sh->sh_offset < sh->sh_size)
			return sb_fail(err, SB_ESAID, "its code lies outside of it");
		auto_free uint8_t *marks = calloc(sh->sh_size + 1, 1);
		struct sweep s = {.patch = patch,
				  .code = image->bytes + sh->sh_offset,
				  .to = to + sh->sh_offset,
				  .marks = marks,
				  .size = sh->sh_size,
				  .address = sh->sh_addr,
				  .out = out,
				  .out_address = address};
		if (marks) {
			sweep(&s, false);
			sweep(&s, true);
		}
		if (!marks || s.rc < 0)
			return sb_fail(err, ENOMEM, "rewrite a library");
	}
	return 0;
}

int sb_patch_library(const void *bytes, size_t size, struct sb_patch *patch, struct sb_buf *ret,
		     struct sb_err *err)
{
	static const char zeros[PAGE];
	auto_buf out = SB_BUF_INIT;
	size_t start = ret->len;
	struct image image;
	int rc = look_at(bytes, size, &image, err);

	if (rc < 0)
		return rc;
	patch->places = patch->left = 0;
	uint64_t offset = page_up(size), address = end_of(&image);
	if (sb_buf_add(ret, bytes, size) < 0 || sb_buf_add(ret, zeros, offset - size) < 0)
		return sb_fail(err, ENOMEM, "rewrite a library");
	/* No addition until all is written: the copy stays where it is. */
	rc = sweep_sections(&image, (uint8_t *)ret->s + start, patch, address, &out, err);
	if (rc == 0 && !out.len)
		rc = sb_fail(err, SB_ESAID, "no system call in it could be rewritten");
	const Elf64_Phdr segment = {.p_type = PT_LOAD,
				    .p_flags = PF_R | PF_X,
				    .p_offset = offset,
				    .p_vaddr = address,
				    .p_paddr = address,
				    .p_filesz = out.len,
				    .p_memsz = out.len,
				    .p_align = PAGE};
	if (rc == 0)
		rc = add_segment(&image, (uint8_t *)ret->s + start, &segment, err);
	if (rc == 0 && sb_buf_add(ret, out.s, out.len) < 0)
		rc = sb_fail(err, ENOMEM, "rewrite a library");
	return rc;
}
