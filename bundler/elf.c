#include "bundler/elf.h"

#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/elf_note.h"
#include "common/log.h"
#include "common/map.h"

/* No real file comes near; beyond them only damage is found, slowly. */
#define MAX_SEGMENTS 4096
#define MAX_DYNAMIC  65536
#define MAX_INTERP   4096
#define MAX_BYTES    (1u << 30)
#define MAX_VERSIONS (1u << 20)

struct sb_elf_store {
	struct sb_map strings;
	struct sb_notes notes;
	struct sb_elf_dep *deps;
};

/* The string table, as the dynamic section tells of it. */
struct dynamic {
	uint64_t strtab, strsz;
	uint64_t verneed, verneednum;
	size_t count;
	GElf_Dyn *entries;
	Elf_Data *strings;
};

struct reader {
	struct sb_elf *elf;
	Elf *handle;
	const char *name;
	struct sb_err *err;
	uint64_t size;
	size_t segments;
	struct dynamic dyn;
};

static void elf_endp(Elf **handle)
{
	if (*handle)
		(void)elf_end(*handle); /* a count of references: nothing can fail */
}

bool sb_elf_magic(const void *head, size_t len)
{
	return len >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
}

static int __attribute__((format(printf, 2, 3))) bad(struct reader *r, const char *fmt, ...)
{
	char what[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	return sb_fail(r->err, SB_ESAID, "'%s' is a damaged ELF file: %s", r->name, what);
}

static int no_memory(struct reader *r)
{
	return sb_fail(r->err, ENOMEM, "read '%s'", r->name);
}

static const char *keep(struct reader *r, const char *s)
{
	return sb_map_intern(&r->elf->store->strings, s);
}

/* A piece of the file, translated to our byte order; NULL where it does not lie in the file. */
static Elf_Data *piece(struct reader *r, uint64_t offset, uint64_t len, Elf_Type type)
{
	if (len == 0 || len > MAX_BYTES || offset > r->size || len > r->size - offset)
		return NULL;
	Elf_Data *data = elf_getdata_rawchunk(r->handle, (int64_t)offset, len, type);
	return data && data->d_buf && data->d_size == len ? data : NULL;
}

/* Where in the file a virtual address lies, and how many bytes follow it there. */
static int file_offset(struct reader *r, uint64_t address, uint64_t *ret, uint64_t *ret_room)
{
	for (size_t i = 0; i < r->segments; i++) {
		GElf_Phdr ph;

		if (!gelf_getphdr(r->handle, (int)i, &ph) || ph.p_type != PT_LOAD ||
		    address < ph.p_vaddr || address - ph.p_vaddr >= ph.p_filesz)
			continue;
		uint64_t into = address - ph.p_vaddr;
		if (ph.p_offset > r->size || into > r->size - ph.p_offset)
			return -EBADMSG;
		*ret = ph.p_offset + into;
		*ret_room = ph.p_filesz - into;
		if (*ret_room > r->size - *ret)
			*ret_room = r->size - *ret;
		return 0;
	}
	return -EBADMSG;
}

static int read_header(struct reader *r)
{
	GElf_Ehdr eh;

	if (elf_kind(r->handle) != ELF_K_ELF || !gelf_getehdr(r->handle, &eh))
		return bad(r, "its header cannot be read");
	struct sb_elf *elf = r->elf;
	elf->class = eh.e_ident[EI_CLASS];
	elf->data = eh.e_ident[EI_DATA];
	elf->machine = eh.e_machine;
	elf->type = eh.e_type;
	elf->flags = eh.e_flags;
	elf->arch = sb_arch_find(elf->machine, elf->class, elf->data, elf->flags);
	if (eh.e_phnum && elf_getphdrnum(r->handle, &r->segments) < 0)
		return bad(r, "its program headers cannot be read");
	if (r->segments > MAX_SEGMENTS)
		return bad(r, "it claims to have %zu segments", r->segments);
	return 0;
}

static int read_interp(struct reader *r, const GElf_Phdr *ph)
{
	Elf_Data *data = piece(r, ph->p_offset, ph->p_filesz, ELF_T_BYTE);

	if (!data || data->d_size > MAX_INTERP || !memchr(data->d_buf, '\0', data->d_size))
		return bad(r, "the name of its interpreter is not in it");
	r->elf->interp = keep(r, data->d_buf);
	return r->elf->interp ? 0 : no_memory(r);
}

static int read_notes(struct reader *r, const GElf_Phdr *ph)
{
	/* Notes matter little: one that is not there does not keep a program from running. */
	Elf_Data *data = piece(r, ph->p_offset, ph->p_filesz, ELF_T_BYTE);

	return data && sb_notes_read(&r->elf->store->notes, data->d_buf, data->d_size,
				     ph->p_align) < 0
		       ? no_memory(r)
		       : 0;
}

static int read_dynamic(struct reader *r, const GElf_Phdr *ph)
{
	size_t entry = gelf_fsize(r->handle, ELF_T_DYN, 1, EV_CURRENT);
	size_t room = entry ? ph->p_filesz / entry : 0;
	Elf_Data *data = piece(r, ph->p_offset, room * entry, ELF_T_DYN);

	if (!data)
		return bad(r, "its dynamic section is not in it");
	/* Two segments: the loader goes by the last one. */
	free(r->dyn.entries);
	r->dyn = (struct dynamic){.entries = NULL};
	if (room > MAX_DYNAMIC)
		room = MAX_DYNAMIC;
	r->dyn.entries = calloc(room, sizeof *r->dyn.entries);
	if (!r->dyn.entries)
		return no_memory(r);
	for (; r->dyn.count < room; r->dyn.count++) {
		GElf_Dyn *d = &r->dyn.entries[r->dyn.count];

		if (!gelf_getdyn(data, (int)r->dyn.count, d) || d->d_tag == DT_NULL)
			break;
		if (d->d_tag == DT_STRTAB)
			r->dyn.strtab = d->d_un.d_ptr;
		else if (d->d_tag == DT_STRSZ)
			r->dyn.strsz = d->d_un.d_val;
		else if (d->d_tag == DT_VERNEED)
			r->dyn.verneed = d->d_un.d_ptr;
		else if (d->d_tag == DT_VERNEEDNUM)
			r->dyn.verneednum = d->d_un.d_val;
		else if (d->d_tag == DT_FLAGS_1)
			r->elf->nodeflib = d->d_un.d_val & DF_1_NODEFLIB;
	}
	return 0;
}

static int read_segments(struct reader *r)
{
	for (size_t i = 0; i < r->segments; i++) {
		GElf_Phdr ph;
		int rc = 0;

		if (!gelf_getphdr(r->handle, (int)i, &ph))
			return bad(r, "its program headers cannot be read");
		if (ph.p_type == PT_INTERP && !r->elf->interp)
			rc = read_interp(r, &ph);
		else if (ph.p_type == PT_NOTE)
			rc = read_notes(r, &ph);
		else if (ph.p_type == PT_DYNAMIC && ph.p_filesz)
			rc = read_dynamic(r, &ph);
		else if (ph.p_type == PT_TLS)
			r->elf->tls_size = ph.p_memsz;
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The string at `offset` of the dynamic string table; NULL where it is not there, or has no end. */
static const char *look_up(const struct reader *r, uint64_t offset)
{
	const Elf_Data *table = r->dyn.strings;

	if (!table || offset >= table->d_size)
		return NULL;
	const char *s = (const char *)table->d_buf + offset;
	return memchr(s, '\0', table->d_size - offset) ? s : NULL;
}

static int dyn_string(struct reader *r, uint64_t offset, const char **ret)
{
	const char *s = look_up(r, offset);

	if (!s)
		return bad(r, "a name is not in its string table");
	*ret = keep(r, s);
	return *ret ? 0 : no_memory(r);
}

static int read_tag(struct reader *r, const GElf_Dyn *d)
{
	struct sb_elf *elf = r->elf;
	struct sb_elf_dep *dep = &elf->store->deps[elf->dep_count];

	switch (d->d_tag) {
	case DT_SONAME:
		return dyn_string(r, d->d_un.d_val, &elf->soname);
	case DT_RPATH:
		return dyn_string(r, d->d_un.d_val, &elf->rpath);
	case DT_RUNPATH:
		return dyn_string(r, d->d_un.d_val, &elf->runpath);
	case DT_NEEDED:
		dep->kind = SB_ELF_NEEDED;
		break;
	case DT_AUXILIARY:
		dep->kind = SB_ELF_AUXILIARY;
		break;
	case DT_FILTER:
		dep->kind = SB_ELF_FILTER;
		break;
	default:
		return 0;
	}
	elf->dep_count++;
	return dyn_string(r, d->d_un.d_val, &dep->name);
}

static int read_tags(struct reader *r)
{
	struct dynamic *dyn = &r->dyn;
	struct sb_elf *elf = r->elf;
	uint64_t offset, room;

	if (!dyn->count)
		return 0;
	elf->store->deps = calloc(dyn->count, sizeof *elf->store->deps);
	if (!elf->store->deps)
		return no_memory(r);
	elf->deps = elf->store->deps;
	/* A static-pie may have none; whoever needs a name then fails. */
	if (file_offset(r, dyn->strtab, &offset, &room) == 0 && dyn->strsz)
		dyn->strings = piece(r, offset, dyn->strsz < room ? dyn->strsz : room, ELF_T_BYTE);
	for (size_t i = 0; i < dyn->count; i++) {
		int rc = read_tag(r, &dyn->entries[i]);

		if (rc < 0)
			return rc;
	}
	if (elf->runpath)
		elf->rpath = NULL;
	return 0;
}

static void note_version(struct sb_elf *elf, const char *version)
{
	unsigned major, minor;

	if (sscanf(version, "GLIBC_%4u.%4u", &major, &minor) != 2)
		return;
	if (major > elf->glibc[0] || (major == elf->glibc[0] && minor > elf->glibc[1])) {
		elf->glibc[0] = major;
		elf->glibc[1] = minor;
	}
}

/* Version needs only inform: where they are damaged, the rest still holds. */
static void read_versions(struct reader *r)
{
	uint64_t offset, room;

	if (!r->dyn.verneed || file_offset(r, r->dyn.verneed, &offset, &room) < 0)
		return;
	/* How long it is stands nowhere: not all that follows it in the segment. */
	if (room > MAX_VERSIONS)
		room = MAX_VERSIONS;
	Elf_Data *data = piece(r, offset, room, ELF_T_VNEED);
	if (!data)
		return;
	size_t budget = room / sizeof(Elf64_Vernaux) + 1;
	for (size_t at = 0; budget; budget--) {
		GElf_Verneed need;

		if (at >= room || !gelf_getverneed(data, (int)at, &need))
			return;
		size_t aux_at = at + need.vn_aux;
		for (unsigned i = 0; i < need.vn_cnt && budget; i++, budget--) {
			GElf_Vernaux aux;

			if (aux_at >= room || !gelf_getvernaux(data, (int)aux_at, &aux))
				return;
			const char *version = look_up(r, aux.vna_name);
			if (version)
				note_version(r->elf, version);
			aux_at += aux.vna_next;
		}
		if (!need.vn_next || !budget)
			return;
		at += need.vn_next;
	}
}

/* glibc loads libgcc_s by itself for these. */
static bool is_unwinder(const char *name)
{
	static const char *const names[] = {"pthread_cancel", "pthread_exit", "thrd_exit",
					    "backtrace"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* The only thing for which sections are asked: nothing else tells how many symbols there are. */
static void read_symbols(struct reader *r)
{
	Elf_Scn *section = NULL;
	GElf_Shdr sh;

	while ((section = elf_nextscn(r->handle, section)))
		if (gelf_getshdr(section, &sh) && sh.sh_type == SHT_DYNSYM)
			break;
	Elf_Data *data = section ? piece(r, sh.sh_offset, sh.sh_size, ELF_T_SYM) : NULL;
	if (!data)
		return;
	size_t count = sh.sh_size / gelf_fsize(r->handle, ELF_T_SYM, 1, EV_CURRENT);
	for (size_t i = 1; i < count && !r->elf->unwinds; i++) {
		GElf_Sym sym;

		if (!gelf_getsym(data, (int)i, &sym) || sym.st_shndx != SHN_UNDEF)
			continue;
		const char *name = look_up(r, sym.st_name);
		r->elf->unwinds = name && is_unwinder(name);
	}
}

static enum sb_elf_kind kind_of(const struct reader *r)
{
	bool pie = false;

	if (r->elf->type != ET_EXEC && r->elf->type != ET_DYN)
		return SB_ELF_OTHER;
	if (r->elf->interp)
		return SB_ELF_PROGRAM;
	for (size_t i = 0; i < r->dyn.count; i++)
		if (r->dyn.entries[i].d_tag == DT_FLAGS_1)
			pie = r->dyn.entries[i].d_un.d_val & DF_1_PIE;
	return r->elf->type == ET_EXEC ? SB_ELF_STATIC : pie ? SB_ELF_STATIC_PIE : SB_ELF_LIBRARY;
}

static int read_all(struct reader *r)
{
	struct sb_elf *elf = r->elf;
	int rc = read_header(r);

	if (rc == 0 && (elf->type == ET_EXEC || elf->type == ET_DYN))
		rc = read_segments(r);
	if (rc == 0)
		rc = read_tags(r);
	if (rc < 0)
		return rc;
	read_versions(r);
	read_symbols(r);
	elf->kind = kind_of(r);
	const struct sb_notes *notes = &elf->store->notes;
	if (notes->malformed)
		sb_log(SB_LOG_WARN, "'%s': its dlopen note cannot be read, and is left out",
		       r->name);
	memcpy(elf->kernel, notes->kernel, sizeof elf->kernel);
	elf->isa_level = notes->isa_level;
	elf->dlopens = notes->dlopens;
	elf->dlopen_count = notes->dlopen_count;
	return 0;
}

static struct sb_elf *new_elf(void)
{
	struct sb_elf *elf = calloc(1, sizeof *elf);

	if (elf)
		elf->store = calloc(1, sizeof *elf->store);
	if (elf && !elf->store) {
		free(elf);
		return NULL;
	}
	return elf;
}

void sb_elf_free(struct sb_elf *elf)
{
	if (!elf)
		return;
	sb_notes_free(&elf->store->notes);
	sb_map_free(&elf->store->strings);
	free(elf->store->deps);
	free(elf->store);
	free(elf);
}

int sb_elf_read(int fd, const char *name, struct sb_elf **ret, struct sb_err *err)
{
	__attribute__((cleanup(elf_endp))) Elf *handle = NULL;
	unsigned char head[EI_NIDENT];
	struct stat st;
	ssize_t n = pread(fd, head, sizeof head, 0);

	if (n < 0 || fstat(fd, &st) < 0)
		return sb_fail(err, errno, "read '%s'", name);
	if (!sb_elf_magic(head, (size_t)n)) {
		(void)sb_fail(err, SB_ESAID, "'%s' is no ELF file", name);
		return -ENOEXEC;
	}
	(void)elf_version(EV_CURRENT); /* fails only where the header is newer than the library */
	handle = elf_begin(fd, ELF_C_READ, NULL);
	struct sb_elf *elf = new_elf();
	if (!handle || !elf) {
		sb_elf_free(elf);
		return handle ? sb_fail(err, ENOMEM, "read '%s'", name)
			      : sb_fail(err, SB_ESAID, "'%s' is a damaged ELF file: %s", name,
					elf_errmsg(-1));
	}
	struct reader r = {.elf = elf,
			   .handle = handle,
			   .name = name,
			   .err = err,
			   .size = (uint64_t)st.st_size};
	elf->dev = st.st_dev;
	elf->ino = st.st_ino;
	elf->store->notes.strings = &elf->store->strings;
	elf->store->notes.wide = head[EI_CLASS] == ELFCLASS64;
	elf->store->notes.swap =
		(head[EI_DATA] == ELFDATA2MSB) != (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__);
	int rc = read_all(&r);
	free(r.dyn.entries);
	if (rc < 0) {
		sb_elf_free(elf);
		return rc;
	}
	*ret = elf;
	return 0;
}
