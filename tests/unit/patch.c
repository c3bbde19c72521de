#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "bundler/patch.h"
#include "common/x86.h"
#include "tests/unit/mini_elf.h"

#define CODE(bytes) bytes, sizeof(bytes) - 1

static const struct {
	const char *code;
	size_t size;
	int len;
	bool moves, placed;
} insns[] = {
	{CODE("\xb8\x01\x01\x00\x00"), 5, false, false},	    /* mov $257, %eax */
	{CODE("\x48\xb8\1\2\3\4\5\6\7\x08"), 10, false, false},	    /* movabs, %rax */
	{CODE("\x0f\x05"), 2, true, false},			    /* syscall */
	{CODE("\x48\x3d\x00\xf0\xff\xff"), 6, false, false},	    /* cmp $-4096, %rax */
	{CODE("\x48\x8d\x35\1\2\3\4"), 7, false, true},		    /* lea x(%rip), %rsi */
	{CODE("\x48\x8d\x84\x24\x80\0\0\0"), 8, false, false},	    /* lea 128(%rsp), %rax */
	{CODE("\x66\x2e\x0f\x1f\x84\0\0\0\0\0"), 10, false, false}, /* nopw */
	{CODE("\xf7\x47\x08\1\0\0\0"), 7, false, false},	    /* testl $1, 8(%rdi) */
	{CODE("\xf7\xd8"), 2, false, false},			    /* neg %eax */
	{CODE("\xc4\xe2\x42\xf7\xc0"), 5, false, false},	    /* sarx */
	{CODE("\x62\xf1\x7c\x48\x10\x07"), 6, false, false},	    /* vmovups, 512 bits */
	{CODE("\xff\x25\1\2\3\4"), 6, true, true},		    /* jmp *x(%rip) */
	{CODE("\x0f\x87\1\2\3\4"), 6, true, false},		    /* ja */
	{CODE("\xf3\x0f\x1e\xfa"), 4, false, false},		    /* endbr64 */
	{CODE("\x06"), 0, false, false},			    /* none in 64 bits */
	{CODE("\xb8\x01"), 0, false, false},			    /* cut off */
};

Test(x86, tells_lengths)
{
	for (size_t i = 0; i < sizeof insns / sizeof *insns; i++) {
		struct sb_x86 insn;
		bool known = sb_x86_decode((const uint8_t *)insns[i].code, insns[i].size, &insn);

		cr_expect(eq(int, known ? insn.len : 0, insns[i].len), "%zu", i);
		if (known) {
			cr_expect(eq(int, insn.moves, insns[i].moves), "%zu", i);
			cr_expect(eq(int, insn.placed, insns[i].placed), "%zu", i);
		}
	}
}

Test(x86, tells_where_jumps_go)
{
	struct sb_x86 insn;

	cr_assert(sb_x86_decode((const uint8_t *)"\xeb\xfe", 2, &insn));
	cr_expect(insn.has_target && insn.target == 0);
	cr_assert(sb_x86_decode((const uint8_t *)"\xe8\x0b\0\0\0", 5, &insn));
	cr_expect(insn.has_target && insn.target == 16);
}

/* --- whole files ----------------------------------------------------------------------------- */

/* A file with one section of code and three headers: two to load, and a note to give up. */
struct file {
	Elf64_Ehdr head;
	Elf64_Phdr headers[2];
	Elf64_Shdr section;
	uint8_t code[64];
};

static struct file make_file(uint16_t machine, const char *code, size_t size)
{
	struct file f = {.head = {.e_type = ET_DYN,
				  .e_machine = machine,
				  .e_phoff = offsetof(struct file, headers),
				  .e_phentsize = sizeof(Elf64_Phdr),
				  .e_phnum = 2,
				  .e_shoff = offsetof(struct file, section),
				  .e_shentsize = sizeof(Elf64_Shdr),
				  .e_shnum = 1},
			 .headers = {{.p_type = PT_NOTE},
				     {.p_type = PT_LOAD,
				      .p_flags = PF_R | PF_X,
				      .p_filesz = sizeof f,
				      .p_memsz = sizeof f}},
			 .section = {.sh_type = SHT_PROGBITS,
				     .sh_flags = SHF_EXECINSTR,
				     .sh_addr = offsetof(struct file, code),
				     .sh_offset = offsetof(struct file, code),
				     .sh_size = sizeof f.code}};

	memcpy(f.head.e_ident, ELFMAG, SELFMAG);
	f.head.e_ident[EI_CLASS] = ELFCLASS64;
	f.head.e_ident[EI_DATA] = ELFDATA2LSB;
	memset(f.code, 0x90, sizeof f.code);
	memcpy(f.code, code, size);
	return f;
}

/* Where the first jump stands; -1: nothing was replaced. */
static const struct {
	const char *name, *code;
	size_t size;
	int at;
	unsigned left;
} places[] = {
	{"a number right before", CODE("\xb8\x01\x01\0\0\x0f\x05\xc3"), 0, 0},
	{"somebody jumps to the call",
	 CODE("\xb8\x01\x01\0\0\x0f\x05\x48\x3d\0\xf0\xff\xff\x77\x00\xeb\xf4"), 5, 0},
	{"a number further before: what follows goes along",
	 CODE("\xb8\x01\x01\0\0\x31\xff\x0f\x05\x48\x3d\0\xf0\xff\xff\xc3"), 7, 0},
	{"a number that the caller gives", CODE("\x48\x89\xf8\x48\x89\xf7\x0f\x05\xc3"), 0, 0},
	{"an address, which is asked about", CODE("\x31\xc0\xb8\x2a\0\0\0\x0f\x05\xc3"), 2, 0},
	{"an address, and somebody jumps to the call", CODE("\xb8\x2a\0\0\0\x0f\x05\xeb\xfc"), -1,
	 1},
	{"no path: read", CODE("\x31\xc0\xb8\0\0\0\0\x0f\x05\xc3"), -1, 0},
	{"nothing can be moved", CODE("\xb8\x01\x01\0\0\x74\x00\x0f\x05\x74\xf9"), -1, 0},
};

Test(patch, rewrites_what_names_a_path)
{
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		struct file f = make_file(EM_X86_64, places[i].code, places[i].size);
		struct sb_patch patch = {.machine = EM_X86_64, .gates = 0x555100001000};
		struct sb_err err = SB_ERR_INIT;
		struct sb_buf out = SB_BUF_INIT;
		int rc = sb_patch_library(&f, sizeof f, &patch, &out, &err);

		cr_expect(eq(uint, patch.left, places[i].left), "%s", places[i].name);
		if (places[i].at < 0) {
			cr_expect(lt(int, rc, 0), "%s", places[i].name);
		} else {
			cr_assert(eq(int, rc, 0), "%s", places[i].name);
			const struct file *to = (const struct file *)out.s;
			cr_expect(eq(u8, to->code[places[i].at], 0xe9), "%s", places[i].name);
			cr_expect(eq(int, to->headers[0].p_type, PT_LOAD), "%s", places[i].name);
			cr_expect(to->headers[1].p_vaddr >= sizeof f, "%s", places[i].name);
		}
		sb_buf_free(&out);
	}
}

Test(patch, refuses_what_is_no_library)
{
	struct file f = make_file(EM_X86_64, CODE("\xb8\x01\x01\0\0\x0f\x05\xc3"));
	struct sb_patch patch = {.machine = EM_X86_64, .gates = 1};
	struct sb_err err = SB_ERR_INIT;
	struct sb_buf out = SB_BUF_INIT;

	cr_expect(eq(int, sb_patch_library("no", 2, &patch, &out, &err), -SB_ESAID));
	f.head.e_shoff = sizeof f;
	cr_expect(eq(int, sb_patch_library(&f, sizeof f, &patch, &out, &err), -SB_ESAID));
	f.head.e_shoff = offsetof(struct file, section);
	f.section.sh_size = 1u << 30;
	cr_expect(eq(int, sb_patch_library(&f, sizeof f, &patch, &out, &err), -SB_ESAID));
	f.section.sh_size = sizeof f.code;
	patch.machine = EM_AARCH64;
	cr_expect(eq(int, sb_patch_library(&f, sizeof f, &patch, &out, &err), -SB_ESAID));
	patch.machine = EM_X86_64;
	f.headers[0].p_type = PT_DYNAMIC;
	cr_expect(eq(int, sb_patch_library(&f, sizeof f, &patch, &out, &err), -SB_ESAID));
	sb_buf_free(&out);
}

/* --- aarch64 ---------------------------------------------------------------------------------- */

#define MOV_X8(nr)   (0xd2800008u | (uint32_t)(nr) << 5)
#define SVC	     0xd4000001u
#define RET	     0xd65f03c0u
#define MOV_X1_X2    0xaa0203e1u
#define MOV_X8_X0    0xaa0003e8u
#define LDR_X8	     0xf94003e8u /* ldr x8, [sp] */
#define ADR_X0	     0x10000000u
#define CBZ_X0(insn) (0xb4000000u | ((uint32_t)(insn)&0x7ffff) << 5)
#define INSNS	     5

/* Where the first jump stands, in instructions; -1: nothing was replaced. */
static const struct {
	const char *name;
	uint32_t code[INSNS];
	int at;
	unsigned left;
} places_aarch64[] = {
	{"openat", {MOV_X8(56), SVC, RET}, 1, 0},
	{"openat, far behind its number", {MOV_X8(56), MOV_X1_X2, MOV_X1_X2, SVC, RET}, 3, 0},
	{"openat, and somebody jumps to the call", {MOV_X8(56), MOV_X1_X2, SVC, CBZ_X0(-1)}, 2, 0},
	{"openat, and somebody jumps behind its number",
	 {MOV_X8(56), MOV_X1_X2, SVC, CBZ_X0(-2)},
	 1,
	 0},
	{"getcwd", {MOV_X8(17), SVC, RET}, 1, 0},
	{"read", {MOV_X8(63), SVC, RET}, -1, 0},
	{"clone", {MOV_X8(220), SVC, RET}, -1, 0},
	{"a number that the caller gives", {MOV_X8_X0, MOV_X1_X2, SVC, RET}, 1, 0},
	{"a number from memory", {MOV_X8(63), LDR_X8, SVC, RET}, 1, 0},
	{"connect, which is asked about", {MOV_X8(203), MOV_X1_X2, SVC, RET}, 1, 0},
	{"connect, and somebody jumps to the call", {MOV_X8(203), SVC, RET, CBZ_X0(-2)}, -1, 1},
	{"connect, and what is before it cannot be moved", {MOV_X8(203), ADR_X0, SVC}, -1, 1},
};

Test(patch, rewrites_what_names_a_path_on_aarch64)
{
	for (size_t i = 0; i < sizeof places_aarch64 / sizeof *places_aarch64; i++) {
		const char *name = places_aarch64[i].name;
		const uint32_t *code = places_aarch64[i].code;
		struct file f =
			make_file(EM_AARCH64, (const char *)code, sizeof places_aarch64[i].code);
		struct sb_patch patch = {.machine = EM_AARCH64, .gates = 0x0f00010000};
		struct sb_err err = SB_ERR_INIT;
		struct sb_buf out = SB_BUF_INIT;
		int rc = sb_patch_library(&f, sizeof f, &patch, &out, &err), at = -1;

		cr_expect(eq(uint, patch.left, places_aarch64[i].left), "%s", name);
		cr_expect(eq(int, rc < 0, places_aarch64[i].at < 0), "%s", name);
		for (int j = INSNS - 1; j >= 0 && rc == 0; j--) {
			uint32_t now;

			memcpy(&now, out.s + offsetof(struct file, code) + 4 * j, sizeof now);
			if (now != code[j])
				at = j;
		}
		cr_expect(eq(int, at, places_aarch64[i].at), "%s", name);
		sb_buf_free(&out);
	}
}

/* The segment behind the others, in pages of any size; and what is done there, and the way back. */
Test(patch, comes_back_on_aarch64)
{
	const uint32_t code[] = {MOV_X8(56), SVC, RET};
	struct file f = make_file(EM_AARCH64, (const char *)code, sizeof code);
	struct sb_patch patch = {.machine = EM_AARCH64, .gates = 0x0f00010000};
	struct sb_err err = SB_ERR_INIT;
	struct sb_buf out = SB_BUF_INIT;
	uint64_t at = offsetof(struct file, code) + 4;
	uint32_t jump, back, stub[7];

	cr_assert(eq(int, sb_patch_library(&f, sizeof f, &patch, &out, &err), 0));
	const Elf64_Phdr *p = &((const struct file *)out.s)->headers[1];
	cr_assert(eq(ulong, p->p_filesz, sizeof stub));
	cr_expect(eq(ulong, p->p_align, 0x10000));
	cr_expect(ge(ulong, p->p_vaddr, 0x10000));
	cr_expect(eq(ulong, (p->p_vaddr - p->p_offset) % p->p_align, 0));
	memcpy(&jump, out.s + at, sizeof jump);
	cr_expect(eq(ulong, at + (jump & 0x03ffffff) * 4ul, p->p_vaddr));
	memcpy(stub, out.s + p->p_offset, sizeof stub);
	cr_expect(eq(u32, stub[1], 0xd2800010u | 0x0010u << 5)); /* movz x16, #0x10 */
	cr_expect(eq(u32, stub[2], 0xf2a00010u | 0x0001u << 5)); /* movk, lsl #16 */
	cr_expect(eq(u32, stub[3], 0xf2c00010u | 0x000fu << 5)); /* movk, lsl #32 */
	back = stub[6] | 0xfc000000u;
	cr_expect(eq(ulong, p->p_vaddr + 24 + 4 * (uint64_t)(int64_t)(int32_t)back, at + 4));
	sb_buf_free(&out);
}

Test(patch, knows_a_start)
{
	struct file f = make_file(EM_AARCH64, CODE("\xc0\x03\x5f\xd6"));
	struct sb_patch patch = {.places = 0};

	cr_expect(not(sb_patch_start(&f, sizeof f, &patch)));
	f.head.e_entry = 0x0f00010000;
	cr_expect(sb_patch_start(&f, sizeof f, &patch));
	cr_expect(eq(uint, patch.machine, EM_AARCH64));
	cr_expect(eq(ulong, patch.gates, 0x0f00010000));
	f.head.e_machine = EM_RISCV;
	cr_expect(not(sb_patch_start(&f, sizeof f, &patch)));
}

/* All that this machine's own libc asks the kernel with a path. */
Test(patch, leaves_nothing_of_this_machines_libc)
{
	static const char *const files[] = {"/lib64/ld-linux-x86-64.so.2",
					    "/lib/x86_64-linux-gnu/libc.so.6",
					    "/usr/lib64/libc.so.6", "/lib/ld-linux-aarch64.so.1",
					    "/lib/aarch64-linux-gnu/libc.so.6",
					    /* The other machine's, beside its compiler. */
					    "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1",
					    "/usr/aarch64-linux-gnu/lib/libc.so.6"};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		struct sb_patch patch = {.machine = EM_X86_64, .gates = 0x555100001000};
		struct sb_err err = SB_ERR_INIT;
		struct sb_buf out = SB_BUF_INIT;
		struct stat st;
		int fd = open(files[i], O_RDONLY | O_CLOEXEC);

		if (fd < 0 || fstat(fd, &st) < 0)
			continue;
		void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		cr_assert(bytes != MAP_FAILED);
		patch.machine = ((const Elf64_Ehdr *)bytes)->e_machine;
		int rc = sb_patch_library(bytes, (size_t)st.st_size, &patch, &out, &err);
		cr_expect(eq(int, rc, 0), "%s: %s", files[i], err.msg);
		cr_expect(gt(uint, patch.places, 5u), "%s", files[i]);
		cr_expect(eq(uint, patch.left, 0u), "%s", files[i]);
		sb_buf_free(&out);
		munmap(bytes, (size_t)st.st_size);
		close(fd);
	}
}
