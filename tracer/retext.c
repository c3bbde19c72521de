#include "tracer/retext.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "preload/entry.h"
#include "tracer/libctext.h"
#include "tracer/syscalls.h"

#if defined(__x86_64__) && defined(__GLIBC__)

#define PAGE	  4096ull
#define SITE	  7 /* bytes of mov $number, %eax; syscall */
#define STUB	  8 /* bytes for each of the stubs */
#define LOOK_BACK 48
#define ENTRIES	  5

/* Functions that are entered by a jump, and the call that each is there for. */
static const struct entry {
	const char *name;
	uint32_t number;
	enum sb_libctext_slot slot;
} entries[ENTRIES] = {
	{"open64", SYS_openat, SB_SLOT_OPEN},
	{"openat64", SYS_openat, SB_SLOT_OPENAT},
	{"creat64", SYS_creat, SB_SLOT_CREAT},
	{"connect", SYS_connect, SB_SLOT_CONNECT},
	{"__open64_nocancel", SYS_openat, SB_SLOT_OPEN_NOCANCEL},
};

/* Without one of these it is no libc as we know them. */
static const uint32_t expected[] = {
	SYS_newfstatat, SYS_statx,  SYS_access, SYS_readlink, SYS_readlinkat, SYS_getdents64,
	SYS_chdir,	SYS_fchdir, SYS_rename, SYS_unlink,   SYS_unlinkat,   SYS_mkdir,
	SYS_rmdir,	SYS_execve, SYS_bind,	SYS_execveat, SYS_prctl,      SYS_openat,
};

struct range {
	uint64_t from, to;
};

struct work {
	const uint8_t *bytes;
	size_t size;
	const Elf64_Phdr *text, *data;
	uint8_t *to; /* the text's copy; its addresses are those of the file less text->p_vaddr */
	struct sb_libctext table;
	struct range done[ENTRIES + 3]; /* functions that need no sites */
	unsigned done_count;
	uint64_t stubs; /* address of the first */
};

static uint32_t word(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p, sizeof value);
	return value;
}

static uint64_t page_up(uint64_t n)
{
	return (n + PAGE - 1) / PAGE * PAGE;
}

/* --- the file --------------------------------------------------------------------------------- */

static bool inside(const struct work *w, uint64_t offset, uint64_t len)
{
	return offset <= w->size && len <= w->size - offset;
}

static bool has_build_id(const struct work *w, const Elf64_Phdr *p)
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

static int look_at(struct work *w, struct sb_err *err)
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
	if (!w->text || !w->data || w->text->p_vaddr % PAGE || w->text->p_offset % PAGE ||
	    !inside(w, w->text->p_offset, page_up(w->text->p_filesz)))
		return sb_fail(err, SB_ESAID, "its segments are laid out otherwise");
	return 0;
}

/* The rest of two pages must have room. */
static int find_room(struct work *w, struct sb_err *err)
{
	uint64_t end = w->text->p_vaddr + w->text->p_filesz;
	uint64_t last = w->data->p_vaddr + w->data->p_memsz;

	w->stubs = (end + STUB - 1) / STUB * STUB;
	w->table.slots = (last + 7) / 8 * 8;
	if (w->stubs + (SB_SLOTS + 3) * STUB > page_up(end) ||
	    w->table.slots + SB_SLOTS * sizeof(uint64_t) > page_up(last))
		return sb_fail(err, SB_ESAID, "its last pages are full");
	w->table.magic = SB_LIBCTEXT_MAGIC;
	w->table.identity = sb_libctext_identity(w->bytes);
	w->table.text = w->text->p_vaddr;
	w->table.size = page_up(w->text->p_filesz);
	return 0;
}

/* A function that it exports, by its default version. False: there is none. */
static bool find_function(const struct work *w, const char *name, struct range *ret)
{
	const Elf64_Ehdr *e = (const Elf64_Ehdr *)w->bytes;
	const Elf64_Shdr *sections = (const Elf64_Shdr *)(w->bytes + e->e_shoff);
	const Elf64_Shdr *sh = NULL;

	if (e->e_shoff % 8 || e->e_shentsize != sizeof *sh ||
	    !inside(w, e->e_shoff, e->e_shnum * sizeof *sh))
		return false;
	for (unsigned i = 0; i < e->e_shnum && !sh; i++)
		if (sections[i].sh_type == SHT_DYNSYM && sections[i].sh_link < e->e_shnum)
			sh = &sections[i];
	if (!sh || !inside(w, sh->sh_offset, sh->sh_size) || sh->sh_offset % 8)
		return false;
	const Elf64_Shdr *strings = &sections[sh->sh_link];
	if (!inside(w, strings->sh_offset, strings->sh_size) || !strings->sh_size ||
	    w->bytes[strings->sh_offset + strings->sh_size - 1])
		return false;
	for (uint64_t i = 0; i < sh->sh_size / sizeof(Elf64_Sym); i++) {
		const Elf64_Sym *s = (const Elf64_Sym *)(w->bytes + sh->sh_offset) + i;

		if (s->st_name >= strings->sh_size || ELF64_ST_TYPE(s->st_info) != STT_FUNC ||
		    strcmp((const char *)w->bytes + strings->sh_offset + s->st_name, name) != 0)
			continue;
		*ret = (struct range){s->st_value, s->st_value + s->st_size};
		return s->st_value >= w->text->p_vaddr && s->st_size &&
		       ret->to <= w->text->p_vaddr + w->text->p_filesz;
	}
	return false;
}

/* --- what is rewritten ------------------------------------------------------------------------ */

static const uint8_t *code_at(const struct work *w, uint64_t address)
{
	return w->bytes + w->text->p_offset + (address - w->text->p_vaddr);
}

static uint8_t *copy_at(const struct work *w, uint64_t address)
{
	return w->to + (address - w->text->p_vaddr);
}

/* jmp to that stub, as the last bytes of what has `len` of them. */
static void jump(const struct work *w, uint64_t address, size_t len, unsigned stub)
{
	uint8_t *p = copy_at(w, address + len - SB_ENTRY_JUMP);
	int32_t far = (int32_t)(w->stubs + (uint64_t)stub * STUB - (address + len));

	p[0] = 0xe9;
	memcpy(p + 1, &far, sizeof far);
}

/* jmp *slot(%rip) */
static void write_stub(const struct work *w, unsigned stub)
{
	uint64_t address = w->stubs + (uint64_t)stub * STUB;
	uint8_t *p = copy_at(w, address);
	int32_t far = (int32_t)(w->table.slots + stub * sizeof(uint64_t) - (address + 6));

	p[0] = 0xff;
	p[1] = 0x25;
	memcpy(p + 2, &far, sizeof far);
}

static void done(struct work *w, struct range range)
{
	w->done[w->done_count++] = range;
}

static bool is_done(const struct work *w, uint64_t address)
{
	for (unsigned i = 0; i < w->done_count; i++)
		if (address >= w->done[i].from && address < w->done[i].to)
			return true;
	return false;
}

/* cmpb $0, __libc_single_threaded(%rip): so begin some cancellation points, and make the call then.
 */
static bool asks_for_threads(const uint8_t *code, size_t size, uint32_t number)
{
	if (size < SITE + 7 || code[0] != 0x80 || code[1] != 0x3d || code[6] != 0)
		return false;
	for (size_t i = 7; i + SITE <= size; i++)
		if (code[i] == 0xb8 && word(code + i + 1) == number)
			return true;
	return false;
}

static bool rewrite_entry(struct work *w, const struct entry *entry)
{
	struct range f;
	size_t at = 0;

	if (!find_function(w, entry->name, &f))
		return false;
	const uint8_t *code = code_at(w, f.from);
	if (!sb_entry_find(code, f.to - f.from, entry->number, &at) &&
	    !asks_for_threads(code, f.to - f.from, entry->number))
		return false;
	jump(w, f.from + at, SB_ENTRY_JUMP, entry->slot);
	done(w, f);
	return true;
}

/* The last argument from the stack, and the call: the one call in it. */
static bool rewrite_syscall(struct work *w)
{
	static const uint8_t last[SITE] = {0x4c, 0x8b, 0x4c, 0x24, 0x08, 0x0f, 0x05};
	struct range f;

	if (!find_function(w, "syscall", &f))
		return false;
	for (uint64_t a = f.from; a + SITE <= f.to; a++) {
		if (memcmp(code_at(w, a), last, SITE) != 0)
			continue;
		jump(w, a, SB_ENTRY_JUMP, SB_SLOT_SYSCALL);
		w->table.after_syscall = a + SITE;
		done(w, f);
		return true;
	}
	return false;
}

static bool is_site(const uint8_t *code, uint32_t number)
{
	return code[0] == 0xb8 && word(code + 1) == number && code[5] == 0x0f && code[6] == 0x05;
}

/* It returns twice, on two stacks: so the call is made here, after we were told of it. */
static bool rewrite_clone(struct work *w)
{
	struct range f;

	if (!find_function(w, "clone", &f))
		return false;
	for (uint64_t a = f.from; a + SITE <= f.to; a++) {
		uint64_t stub = w->stubs + SB_SLOTS * STUB;
		int32_t far = (int32_t)(a + SITE - (stub + 7));
		uint8_t *p = copy_at(w, stub);

		if (!is_site(code_at(w, a), SYS_clone))
			continue;
		jump(w, a, SITE, SB_SLOT_CLONE);
		memcpy(copy_at(w, a), (uint8_t[]){0xb0, 0}, 2);
		memcpy(p, (uint8_t[]){0x0f, 0x05, 0xe9}, 3);
		memcpy(p + 3, &far, sizeof far);
		w->table.clone = stub;
		done(w, f);
		return true;
	}
	return false;
}

/* push %rbx; sub $..., %rsp: moved, and the rest is done where it is. */
static bool rewrite_dlmopen(struct work *w)
{
	uint64_t stub = w->stubs + (SB_SLOTS + 1) * STUB;
	uint8_t *p = copy_at(w, stub);
	struct range f;

	if (!find_function(w, "dlmopen", &f) ||
	    memcmp(code_at(w, f.from), (uint8_t[]){0x53, 0x48, 0x83, 0xec}, 4) != 0)
		return false;
	int32_t far = (int32_t)(f.from + SB_ENTRY_JUMP - (stub + 2 * SB_ENTRY_JUMP));
	memcpy(p, code_at(w, f.from), SB_ENTRY_JUMP);
	p[SB_ENTRY_JUMP] = 0xe9;
	memcpy(p + SB_ENTRY_JUMP + 1, &far, sizeof far);
	jump(w, f.from, SB_ENTRY_JUMP, SB_SLOT_DLMOPEN);
	w->table.dlmopen = stub;
	done(w, f);
	return true;
}

static bool is_watched(uint32_t number)
{
	const struct sb_syscall *call = sb_syscall_find(SB_ABI_X86_64, number);

	if (!call)
		return false;
	switch (call->act) {
	case SB_ACT_HANDLE:
	case SB_ACT_URING:
	case SB_ACT_PTRACE:
	case SB_ACT_CLONE:
		return false;
	default:
		return true;
	}
}

/* Before a system call whose number does not stand right before it. */
static bool names_path(const struct work *w, uint64_t address)
{
	const uint8_t *code = code_at(w, address);
	uint64_t most = address - w->text->p_vaddr;

	for (unsigned i = 5; i <= LOOK_BACK && i <= most; i++)
		if (code[-(int)i] == 0xb8 && word(code - i + 1) < 0x1000)
			return is_watched(word(code - i + 1));
	return false;
}

/* `address` is the system call's. False: it names a path, and cannot be rewritten. */
static bool rewrite_site(struct work *w, uint64_t address)
{
	struct sb_libctext *t = &w->table;
	uint64_t at = address - (SITE - 2);
	const uint8_t *code = code_at(w, at);
	uint32_t number = word(code + 1);

	if (is_done(w, address))
		return true;
	if (at < w->text->p_vaddr || !is_site(code, number))
		return !names_path(w, address);
	if (!is_watched(number))
		return true;
	/* A REX prefix with B set would mean another register; and there are as many as there is
	 * room for. */
	if ((code[-1] & 0xf1) == 0x41 || t->sites == SB_LIBCTEXT_SITES)
		return false;
	memcpy(copy_at(w, at), (uint8_t[]){0xb0, (uint8_t)t->sites}, 2);
	jump(w, at, SITE, SB_SLOT_SITE);
	t->site[t->sites].back = (uint32_t)(at + SITE);
	t->site[t->sites++].number = number;
	return true;
}

static int rewrite_sites(struct work *w, struct sb_err *err)
{
	const uint8_t *code = w->bytes + w->text->p_offset, *end = code + w->text->p_filesz;

	/* By its second byte, which is the rarer one: all of libc is searched at each start. */
	for (const uint8_t *p = code + SITE; (p = memchr(p, 0x05, (size_t)(end - p))); p++) {
		uint64_t address = w->text->p_vaddr + (uint64_t)(p - 1 - code);

		if (p[-1] == 0x0f && !rewrite_site(w, address))
			return sb_fail(err, SB_ESAID, "a system call at %#llx is made otherwise",
				       (unsigned long long)address);
	}
	for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
		bool found = false;

		for (unsigned k = 0; k < w->table.sites && !found; k++)
			found = w->table.site[k].number == expected[i];
		if (!found)
			return sb_fail(err, SB_ESAID, "nowhere in it is system call %u made",
				       expected[i]);
	}
	return 0;
}

int sb_retext(const void *bytes, size_t size, struct sb_buf *ret, struct sb_err *err)
{
	struct work w = {.bytes = bytes, .size = size};
	size_t start = ret->len;
	struct range f;
	int rc = look_at(&w, err);

	if (rc == 0)
		rc = find_room(&w, err);
	if (rc < 0)
		return rc;
	if (sb_buf_add(ret, w.bytes + w.text->p_offset, w.table.size) < 0)
		return sb_fail(err, ENOMEM, "copy libc's text");
	w.to = (uint8_t *)ret->s + start;
	for (unsigned i = 0; i < SB_SLOTS; i++)
		write_stub(&w, i);
	for (unsigned i = 0; i < ENTRIES; i++)
		if (!rewrite_entry(&w, &entries[i]))
			return sb_fail(err, SB_ESAID, "%s begins otherwise", entries[i].name);
	if (!rewrite_syscall(&w) || !rewrite_clone(&w) || !rewrite_dlmopen(&w) ||
	    !find_function(&w, "__errno_location", &f))
		return sb_fail(err, SB_ESAID, "syscall, clone or dlmopen is made otherwise");
	w.table.errno_at = f.from;
	rc = rewrite_sites(&w, err);
	if (rc == 0 && sb_buf_add(ret, &w.table, sizeof w.table) < 0)
		rc = sb_fail(err, ENOMEM, "copy libc's text");
	return rc;
}

/* --- for this process's libc ------------------------------------------------------------------ */

static int note_libc(struct dl_phdr_info *info, size_t size, void *path)
{
	const char *slash = strrchr(info->dlpi_name, '/');

	(void)size;
	if (!slash || strcmp(slash, "/libc.so.6") != 0)
		return 0;
	return sb_buf_set(path, info->dlpi_name) < 0 ? -ENOMEM : 1;
}

static int write_file(const char *path, const struct sb_buf *content, struct sb_err *err)
{
	auto_fd int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
	size_t done = 0;

	while (fd >= 0 && done < content->len) {
		ssize_t n = write(fd, content->s + done, content->len - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (fd < 0)
		return sb_fail(err, errno, "make '%s'", path);
	if (done < content->len)
		return sb_fail(err, errno ? errno : ENOSPC, "write '%s'", path);
	/* A file system may be mounted noexec, and a security module may have its own idea. */
	void *tried = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	if (tried == MAP_FAILED)
		return sb_fail(err, errno, "map '%s' to be executed", path);
	(void)munmap(tried, PAGE);
	return 0;
}

int sb_retext_file(const char *dir, struct sb_err *err)
{
	auto_buf libc = SB_BUF_INIT, path = SB_BUF_INIT, text = SB_BUF_INIT;
	struct stat st;

	if (dl_iterate_phdr(note_libc, &libc) != 1)
		return sb_fail(err, SB_ESAID, "this program runs without a libc.so.6");
	if (sb_buf_printf(&path, "%s/" SB_LIBCTEXT_NAME, dir) < 0)
		return sb_fail(err, ENOMEM, "copy libc's text");
	auto_fd int fd = open(libc.s, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return sb_fail(err, errno, "open '%s'", libc.s);
	void *bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (bytes == MAP_FAILED)
		return sb_fail(err, errno, "map '%s'", libc.s);
	int rc = sb_retext(bytes, (size_t)st.st_size, &text, err);
	(void)munmap(bytes, (size_t)st.st_size);
	return rc < 0 ? rc : write_file(path.s, &text, err);
}

#else

int sb_retext(const void *bytes, size_t size, struct sb_buf *ret, struct sb_err *err)
{
	(void)bytes;
	(void)size;
	(void)ret;
	return sb_fail(err, SB_ESAID, "not on this machine");
}

int sb_retext_file(const char *dir, struct sb_err *err)
{
	(void)dir;
	return sb_fail(err, SB_ESAID, "not on this machine");
}

#endif
