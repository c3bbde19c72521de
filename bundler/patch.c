#include "bundler/patch.h"

#include <elf.h>
#include <string.h>

#include "bundler/patch_code.h"

#define PAGE 4096u

/* A machine whose libraries can be rewritten. */
struct machine {
	uint16_t id;
	uint32_t page; /* the largest that it may have */
	int (*rewrite)(struct sb_patch_code *in);
};

static const struct machine machines[] = {
	{EM_X86_64, 0x1000, sb_patch_x86_64},
	{EM_AARCH64, 0x10000, sb_patch_aarch64},
};

struct image {
	const struct machine *machine;
	const uint8_t *bytes;
	size_t size;
	const Elf64_Ehdr *head;
	const Elf64_Phdr *headers;
	const Elf64_Shdr *sections;
};

static const struct machine *find_machine(uint16_t id)
{
	for (size_t i = 0; i < sizeof machines / sizeof *machines; i++)
		if (machines[i].id == id)
			return &machines[i];
	return NULL;
}

static int look_at(const void *bytes, size_t size, struct image *ret, struct sb_err *err)
{
	const Elf64_Ehdr *e = bytes;

	*ret = (struct image){.bytes = bytes, .size = size, .head = e};
	if (size >= sizeof *e && memcmp(e->e_ident, ELFMAG, SELFMAG) == 0 &&
	    e->e_ident[EI_CLASS] == ELFCLASS64 && e->e_ident[EI_DATA] == ELFDATA2LSB)
		ret->machine = find_machine(e->e_machine);
	if (!ret->machine || e->e_phentsize != sizeof(Elf64_Phdr) ||
	    e->e_shentsize != sizeof(Elf64_Shdr))
		return sb_fail(err, SB_ESAID, "no ELF file for x86_64 or aarch64 with sections");
	if (e->e_phoff > size || (size - e->e_phoff) / sizeof(Elf64_Phdr) < e->e_phnum ||
	    e->e_shoff > size || (size - e->e_shoff) / sizeof(Elf64_Shdr) < e->e_shnum ||
	    e->e_phoff % 8 || e->e_shoff % 8)
		return sb_fail(err, SB_ESAID, "its headers lie outside of it");
	ret->headers = (const Elf64_Phdr *)(ret->bytes + e->e_phoff);
	ret->sections = (const Elf64_Shdr *)(ret->bytes + e->e_shoff);
	return 0;
}

bool sb_patch_start(const void *bytes, size_t size, struct sb_patch *ret)
{
	struct sb_err ignored = SB_ERR_INIT;
	struct image image;

	if (look_at(bytes, size, &image, &ignored) < 0 || !image.head->e_entry)
		return false;
	ret->machine = image.machine->id;
	ret->gates = image.head->e_entry;
	return true;
}

static uint64_t page_up(uint64_t n, uint64_t page)
{
	return (n + page - 1) & ~(page - 1);
}

static uint64_t end_of(const struct image *image)
{
	uint64_t end = 0;

	for (size_t i = 0; i < image->head->e_phnum; i++) {
		const Elf64_Phdr *p = &image->headers[i];

		if (p->p_type == PT_LOAD && p->p_vaddr + p->p_memsz > end)
			end = p->p_vaddr + p->p_memsz;
	}
	return page_up(end, image->machine->page);
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
		struct sb_patch_code in = {.patch = patch,
					   .code = image->bytes + sh->sh_offset,
					   .to = to + sh->sh_offset,
					   .size = sh->sh_size,
					   .address = sh->sh_addr,
					   .out = out,
					   .out_address = address};
		if (image->machine->rewrite(&in) < 0)
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
	if (image.machine->id != patch->machine)
		return sb_fail(err, SB_ESAID, "it is another machine's");
	patch->places = patch->left = 0;
	uint64_t offset = page_up(size, PAGE);
	/* Only both together lie where they should in a page of any size. */
	uint64_t address = end_of(&image) + offset % image.machine->page;
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
				    .p_align = image.machine->page};
	if (rc == 0)
		rc = add_segment(&image, (uint8_t *)ret->s + start, &segment, err);
	if (rc == 0 && sb_buf_add(ret, out.s, out.len) < 0)
		rc = sb_fail(err, ENOMEM, "rewrite a library");
	return rc;
}
