#include "preload/inspect.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "preload/arch.h"
#include "preload/recorder.h"
#include "preload/str.h"

#define PROBES	    8u
#define HEAD	    1024 /* bytes read at first: a #! line, or the ELF header and most program headers */
#define MAX_HEADERS 64
#define MAX_NEEDED  512
#define NAME_ROOM   64
#define NOTES_ROOM  512

static bool failed(long raw)
{
	return (unsigned long)raw > -4096UL;
}

/* --- the cache -------------------------------------------------------------------------------- */

static uint64_t key_of(const struct stat *st)
{
	const uint64_t part[] = {st->st_dev,
				 st->st_ino,
				 (uint64_t)st->st_size,
				 (uint64_t)st->st_mtim.tv_sec,
				 (uint64_t)st->st_mtim.tv_nsec,
				 (uint64_t)st->st_ctim.tv_sec,
				 (uint64_t)st->st_ctim.tv_nsec};
	uint64_t hash = 0x9e3779b97f4a7c15ull;

	for (unsigned i = 0; i < sizeof(part) / sizeof(part[0]); i++) {
		hash = (hash ^ part[i]) * 0xff51afd7ed558ccdull;
		hash ^= hash >> 32;
	}
	return hash ? hash : 1;
}

uint64_t sb_inspect_known(struct sb_log_header *log, uint64_t key)
{
	for (uint64_t i = 0; i < PROBES; i++) {
		struct sb_log_prog *p = &log->prog[(key + i) % SB_PROG_SLOTS];

		if (__atomic_load_n(&p->key, __ATOMIC_ACQUIRE) == key)
			return __atomic_load_n(&p->info, __ATOMIC_ACQUIRE);
	}
	return 0;
}

void sb_inspect_note(struct sb_log_header *log, uint64_t key, uint64_t info)
{
	for (uint64_t i = 0; i < PROBES; i++) {
		struct sb_log_prog *p = &log->prog[(key + i) % SB_PROG_SLOTS];
		uint64_t none = 0;

		if (__atomic_load_n(&p->key, __ATOMIC_ACQUIRE) == key) {
			(void)__atomic_fetch_or(&p->info, info, __ATOMIC_SEQ_CST);
			return;
		}
		/* Whoever sets info owns the slot, and alone may name it. */
		if (__atomic_compare_exchange_n(&p->info, &none, info | SB_PROG_KNOWN, 0,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
			__atomic_store_n(&p->key, key, __ATOMIC_RELEASE);
			return;
		}
	}
}

/* --- the file --------------------------------------------------------------------------------- */

struct elf_file {
	int fd;
	unsigned headers;
	Elf64_Off headers_at;
	char *head;
	long head_len;
};

static bool read_at(const struct elf_file *f, uint64_t offset, void *buf, size_t size)
{
	if (offset + size <= (uint64_t)f->head_len) {
		__builtin_memcpy(buf, f->head + offset, size);
		return true;
	}
	return sb_raw(SYS_pread64, f->fd, (long)buf, (long)size, (long)offset, 0, 0) == (long)size;
}

static bool header_at(const struct elf_file *f, unsigned i, Elf64_Phdr *ret)
{
	return read_at(f, f->headers_at + i * sizeof(*ret), ret, sizeof(*ret));
}

/* A string in the file, cut to the buffer; "" where it cannot be read. */
static void string_at(const struct elf_file *f, uint64_t offset, char *buf, size_t size)
{
	long n = sb_raw(SYS_pread64, f->fd, (long)buf, (long)size - 1, (long)offset, 0, 0);

	buf[failed(n) ? 0 : n] = 0;
}

static uint64_t offset_of(const struct elf_file *f, uint64_t address)
{
	Elf64_Phdr load;

	for (unsigned i = 0; i < f->headers && header_at(f, i, &load); i++)
		if (load.p_type == PT_LOAD && address >= load.p_vaddr &&
		    address - load.p_vaddr < load.p_filesz)
			return load.p_offset + (address - load.p_vaddr);
	return 0;
}

static bool is_sanitizer(const char *soname)
{
	return sb_starts(soname, "libasan.so") || sb_starts(soname, "libtsan.so") ||
	       sb_starts(soname, "libhwasan.so") || sb_starts(soname, "libclang_rt.asan") ||
	       sb_starts(soname, "libclang_rt.tsan") || sb_starts(soname, "libclang_rt.hwasan");
}

/* A sanitizer's runtime insists on being the first library: our preload would make the program
 * abort. */
static bool needs_sanitizer(const struct elf_file *f, const Elf64_Phdr *dynamic)
{
	uint64_t strings = 0;
	char name[NAME_ROOM];
	Elf64_Dyn d;

	for (unsigned i = 0; i < MAX_NEEDED; i++) {
		if (!read_at(f, dynamic->p_offset + i * sizeof(d), &d, sizeof(d)) || !d.d_tag)
			break;
		if (d.d_tag == DT_STRTAB)
			strings = offset_of(f, d.d_un.d_ptr);
	}
	for (unsigned i = 0; strings && i < MAX_NEEDED; i++) {
		if (!read_at(f, dynamic->p_offset + i * sizeof(d), &d, sizeof(d)) || !d.d_tag)
			break;
		if (d.d_tag != DT_NEEDED)
			continue;
		string_at(f, strings + d.d_un.d_val, name, sizeof(name));
		if (is_sanitizer(name))
			return true;
	}
	return false;
}

bool sb_notes_go(const char *at, uint64_t size)
{
	while (size >= sizeof(Elf64_Nhdr)) {
		const Elf64_Nhdr *note = (const Elf64_Nhdr *)at;
		uint64_t whole = sizeof(*note) + ((note->n_namesz + 3ull) & ~3ull) +
				 ((note->n_descsz + 3ull) & ~3ull);

		if (whole > size)
			return false;
		if (note->n_namesz >= 2 && sb_starts((const char *)(note + 1), "Go"))
			return true;
		at += whole;
		size -= whole;
	}
	return false;
}

/* Where its linker put that, it is among the first notes. */
static bool is_go(const struct elf_file *f, const Elf64_Phdr *p)
{
	_Alignas(Elf64_Nhdr) char notes[NOTES_ROOM];
	size_t size = p->p_filesz < sizeof(notes) ? p->p_filesz : sizeof(notes);

	return read_at(f, p->p_offset, notes, size) && sb_notes_go(notes, size);
}

static uint64_t inspect_elf(struct elf_file *f)
{
	Elf64_Ehdr *e = (Elf64_Ehdr *)f->head;
	uint64_t info = SB_PROG_STATIC;
	char interp[NAME_ROOM];
	Elf64_Phdr p;

	if (e->e_ident[EI_CLASS] != ELFCLASS64 || e->e_machine != SB_ARCH_MACHINE ||
	    f->head_len < (long)sizeof(*e) || e->e_phentsize != sizeof(Elf64_Phdr))
		return SB_PROG_FOREIGN;
	f->headers_at = e->e_phoff;
	f->headers = e->e_phnum < MAX_HEADERS ? e->e_phnum : MAX_HEADERS;
	for (unsigned i = 0; i < f->headers && header_at(f, i, &p); i++) {
		if (p.p_type == PT_INTERP) {
			info = (info & ~SB_PROG_STATIC) | SB_PROG_LINKED;
			string_at(f, p.p_offset, interp, sizeof(interp));
			if (sb_starts(sb_basename(interp), "ld-musl"))
				info |= SB_PROG_MUSL;
		} else if (p.p_type == PT_DYNAMIC && needs_sanitizer(f, &p)) {
			info |= SB_PROG_SANITIZER;
		} else if (p.p_type == PT_NOTE && is_go(f, &p)) {
			info |= SB_PROG_GO;
		}
	}
	return info;
}

/* The interpreter of a #! line, as the kernel takes it: blanks around it are skipped. */
static bool parse_shebang(const char *head, long len, char *interpreter)
{
	long at = 2, end;

	if (len > SB_SHEBANG_MAX)
		len = SB_SHEBANG_MAX;
	while (at < len && (head[at] == ' ' || head[at] == '\t'))
		at++;
	for (end = at; end < len && head[end] &&
		       !(head[end] == ' ' || head[end] == '\t' || head[end] == '\n');)
		end++;
	sb_copy(interpreter, head + at, (size_t)(end - at));
	interpreter[end - at] = 0;
	return end > at && end < SB_SHEBANG_MAX;
}

static uint64_t inspect_file(int fd, struct sb_program *program)
{
	/* Of the alignment of an ELF header, which is what it mostly holds. */
	uint64_t buf[HEAD / sizeof(uint64_t)];
	struct elf_file f = {.fd = fd, .head = (char *)buf};
	uint64_t info = 0;
	char capability;

	f.head_len = sb_raw(SYS_pread64, fd, (long)buf, sizeof(buf), 0, 0, 0);
	if (f.head_len >= SELFMAG && !__builtin_memcmp(buf, ELFMAG, SELFMAG))
		info = inspect_elf(&f);
	else if (f.head_len > 2 && f.head[0] == '#' && f.head[1] == '!' &&
		 parse_shebang(f.head, f.head_len, program->interpreter))
		info = SB_PROG_SCRIPT;
	/* The value does not matter: ERANGE says as well that there is one. */
	if (info & SB_PROG_SCRIPT)
		return info;
	long got =
		sb_raw(SYS_fgetxattr, fd, (long)"security.capability", (long)&capability, 1, 0, 0);

	return !failed(got) || got == -ERANGE ? info | SB_PROG_SETID : info;
}

/* Whether exec'ing it makes a process whose dynamic linker distrusts the environment. */
static bool gains(const struct stat *st, uint64_t info)
{
	long uid = sb_raw(SYS_getuid, 0, 0, 0, 0, 0, 0),
	     euid = sb_raw(SYS_geteuid, 0, 0, 0, 0, 0, 0);
	long gid = sb_raw(SYS_getgid, 0, 0, 0, 0, 0, 0),
	     egid = sb_raw(SYS_getegid, 0, 0, 0, 0, 0, 0);

	return uid != euid || gid != egid || (st->st_mode & S_ISUID && (long)st->st_uid != euid) ||
	       ((st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
		(long)st->st_gid != egid) ||
	       (info & SB_PROG_SETID && uid != 0);
}

/* What is executed by descriptor is read through it, unless that only names its file (O_PATH). */
static long open_program(int dirfd, const char *path, int flags)
{
	char link[32], byte;
	size_t at = 0;

	if (flags & AT_EMPTY_PATH && !path[0]) {
		if (!failed(sb_raw(SYS_pread64, dirfd, (long)&byte, 1, 0, 0, 0)))
			return dirfd;
		(void)sb_puts(link, sizeof(link), &at, "/proc/self/fd/");
		(void)sb_put_number(link, sizeof(link), &at, (uint64_t)dirfd, 10);
		path = link;
		dirfd = AT_FDCWD;
	}
	return sb_raw(SYS_openat, dirfd, (long)path, O_RDONLY | O_CLOEXEC | O_NOCTTY, 0, 0, 0);
}

int sb_inspect(struct sb_log_header *log, int dirfd, const char *path, int flags,
	       struct sb_program *ret_program)
{
	struct stat st;
	long raw = sb_raw(SYS_newfstatat, dirfd, (long)path, (long)&st, flags, 0, 0);
	uint64_t info;

	if (failed(raw))
		return (int)raw;
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	ret_program->interpreter[0] = 0;
	ret_program->key = key_of(&st);
	info = log ? sb_inspect_known(log, ret_program->key) : 0;
	if (!info || info & SB_PROG_SCRIPT) {
		raw = open_program(dirfd, path, flags);
		/* Executable but not readable: it is loaded like any other, only not looked into.
		 */
		if (!failed(raw)) {
			info |= inspect_file((int)raw, ret_program) | SB_PROG_KNOWN;
			if (log)
				sb_inspect_note(log, ret_program->key, info);
		}
		if (!failed(raw) && raw != dirfd)
			(void)sb_raw(SYS_close, raw, 0, 0, 0, 0, 0);
	}
	ret_program->info = info;
	ret_program->gains = gains(&st, info);
	return 0;
}
