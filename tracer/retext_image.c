/* The file of a libc: where in it the text is, and its functions. System V ABI, chapters 4 and 5.
 */
#include "tracer/retext_work.h"

#define ALIGN	8 /* of what is put behind the text */
#define HIGHEST (1ull << 40)
#define SLACK	16 /* bytes behind the text that a look at its last instruction may take in */

static uint64_t page_up(uint64_t n)
{
	return (n + SB_RETEXT_PAGE - 1) / SB_RETEXT_PAGE * SB_RETEXT_PAGE;
}

static bool inside(const struct sb_retext *w, uint64_t offset, uint64_t len)
{
	return offset <= w->size && len <= w->size - offset;
}

static bool has_build_id(const struct sb_retext *w, const Elf64_Phdr *p)
{
	uint64_t at = p->p_offset, end = p->p_offset + p->p_filesz;

	while (inside(w, at, sizeof(Elf64_Nhdr)) && at < end) {
		const Elf64_Nhdr *note = (const Elf64_Nhdr *)(w->bytes + at);

		at += sizeof *note + ((note->n_namesz + 3ull) & ~3ull) +
		      ((note->n_descsz + 3ull) & ~3ull);
		if (note->n_type == NT_GNU_BUILD_ID && at <= SB_LIBCTEXT_IDENTITY)
			return true;
	}
	return false;
}

/* Addresses that can be added to. */
static bool is_low(const Elf64_Phdr *p)
{
	return p->p_vaddr <= HIGHEST && p->p_memsz <= HIGHEST;
}

static int look_at(struct sb_retext *w, struct sb_err *err)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)w->bytes;
	bool named = false;

	if (w->size < SB_LIBCTEXT_IDENTITY || memcmp(e->e_ident, ELFMAG, SELFMAG) != 0 ||
	    e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_machine != EM_X86_64 ||
	    e->e_phentsize != sizeof(Elf64_Phdr) || e->e_phoff % 8 ||
	    !inside(w, e->e_phoff, e->e_phnum * sizeof(Elf64_Phdr)))
		return sb_fail(err, SB_ESAID, "no library for x86_64");
	for (unsigned i = 0; i < e->e_phnum; i++) {
		const Elf64_Phdr *p = (const Elf64_Phdr *)(w->bytes + e->e_phoff) + i;

		if (p->p_type == PT_NOTE && p->p_offset % 4 == 0)
			named |= has_build_id(w, p);
		if (p->p_type == PT_LOAD && p->p_flags == (PF_R | PF_X))
			w->text = p;
		if (p->p_type == PT_LOAD && p->p_flags & PF_W)
			w->data = p;
	}
	if (!named)
		return sb_fail(err, SB_ESAID, "it has no build id among its headers");
	if (!w->text || !w->data || w->text->p_vaddr % SB_RETEXT_PAGE ||
	    w->text->p_offset % SB_RETEXT_PAGE || w->text->p_filesz > w->size ||
	    !inside(w, w->text->p_offset, page_up(w->text->p_filesz) + SLACK) || !is_low(w->text) ||
	    !is_low(w->data))
		return sb_fail(err, SB_ESAID, "its segments are laid out otherwise");
	return 0;
}

/* The rest of two pages must have room. */
static int find_room(struct sb_retext *w, struct sb_err *err)
{
	uint64_t last = w->data->p_vaddr + w->data->p_memsz;

	w->room = w->text->p_vaddr + w->text->p_filesz;
	w->room_end = page_up(w->room);
	w->table.slots = (last + 7) / 8 * 8;
	if (w->table.slots + SB_SLOTS * sizeof(uint64_t) > page_up(last))
		return sb_fail(err, SB_ESAID, "the last page of its variables is full");
	w->table.magic = SB_LIBCTEXT_MAGIC;
	w->table.identity = sb_libctext_identity(w->bytes);
	w->table.text = w->text->p_vaddr;
	w->table.size = page_up(w->text->p_filesz);
	return 0;
}

/* Of what it exports: names that end, all of them. */
static bool find_symbols(struct sb_retext *w)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)w->bytes;
	const Elf64_Shdr *sections, *sh = NULL;

	if (e->e_shoff % 8 || e->e_shentsize != sizeof *sh ||
	    !inside(w, e->e_shoff, e->e_shnum * sizeof *sh))
		return false;
	sections = (const Elf64_Shdr *)(w->bytes + e->e_shoff);
	for (unsigned i = 0; i < e->e_shnum && !sh; i++)
		if (sections[i].sh_type == SHT_DYNSYM && sections[i].sh_link < e->e_shnum)
			sh = &sections[i];
	if (!sh || !inside(w, sh->sh_offset, sh->sh_size) || sh->sh_offset % 8)
		return false;
	const Elf64_Shdr *strings = &sections[sh->sh_link];
	if (!inside(w, strings->sh_offset, strings->sh_size) || !strings->sh_size ||
	    w->bytes[strings->sh_offset + strings->sh_size - 1])
		return false;
	w->symbols = (const Elf64_Sym *)(w->bytes + sh->sh_offset);
	w->symbol_count = sh->sh_size / sizeof(Elf64_Sym);
	w->names = (const char *)w->bytes + strings->sh_offset;
	w->names_size = strings->sh_size;
	return true;
}

int sb_retext_look(struct sb_retext *w, struct sb_err *err)
{
	int rc = look_at(w, err);

	if (rc == 0 && !find_symbols(w))
		return sb_fail(err, SB_ESAID, "it has no symbols where they are sought");
	return rc < 0 ? rc : find_room(w, err);
}

uint64_t sb_retext_room(struct sb_retext *w, size_t len)
{
	uint64_t at = (w->room + ALIGN - 1) / ALIGN * ALIGN;

	if (at + len > w->room_end)
		return 0;
	w->room = at + len;
	return at;
}

static const char *name_of(const struct sb_retext *w, const Elf64_Sym *s)
{
	return s->st_name < w->names_size ? w->names + s->st_name : "";
}

static bool is_function(const struct sb_retext *w, const Elf64_Sym *s, struct sb_range *ret)
{
	*ret = (struct sb_range){s->st_value, s->st_value + s->st_size};
	return ELF64_ST_TYPE(s->st_info) == STT_FUNC && s->st_size &&
	       ret->from >= w->text->p_vaddr && ret->to > ret->from &&
	       ret->to <= w->text->p_vaddr + w->text->p_filesz;
}

bool sb_retext_function(const struct sb_retext *w, const char *name, struct sb_range *ret)
{
	struct sb_range f;

	for (size_t i = 0; i < w->symbol_count; i++)
		if (is_function(w, &w->symbols[i], &f) &&
		    strcmp(name_of(w, &w->symbols[i]), name) == 0) {
			*ret = f;
			return true;
		}
	return false;
}

bool sb_retext_function_at(const struct sb_retext *w, uint64_t address, struct sb_range *ret)
{
	struct sb_range f;

	*ret = (struct sb_range){0};
	for (size_t i = 0; i < w->symbol_count; i++)
		if (is_function(w, &w->symbols[i], &f) && f.from <= address && f.from >= ret->from)
			*ret = f;
	return ret->from != 0;
}
