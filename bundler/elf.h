/*
 * What an ELF file says about itself, as the kernel and the dynamic linker read it: by program
 * headers (elf(5), gABI chapters 4 and 5), never by sections where those are enough.
 *
 * Everything lives until sb_elf_free(). A file may be anything: whatever points outside of it, or
 * is larger than sense, is a failure with one line, and the work is bounded by the file's size.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "bundler/arch.h"
#include "common/err.h"

enum sb_elf_kind {
	SB_ELF_PROGRAM,	   /* has an interpreter */
	SB_ELF_STATIC,	   /* ET_EXEC without one */
	SB_ELF_STATIC_PIE, /* ET_DYN without one, flagged as a program */
	SB_ELF_LIBRARY,	   /* ET_DYN without either */
	SB_ELF_OTHER,	   /* object, core, kernel module: needs nothing */
};

enum sb_elf_dep_kind { SB_ELF_NEEDED, SB_ELF_AUXILIARY, SB_ELF_FILTER };

struct sb_elf_dep {
	enum sb_elf_dep_kind kind;
	const char *name;
};

/* One entry of .note.dlopen: any one of the names will do, the first found is taken. */
struct sb_dlopen {
	enum sb_dlopen_priority {
		SB_DLOPEN_REQUIRED,
		SB_DLOPEN_RECOMMENDED,
		SB_DLOPEN_SUGGESTED,
	} priority;
	const char *const *sonames;	   /* NULL-terminated, at least one */
	const char *feature, *description; /* "" where not given */
};

struct sb_elf {
	enum sb_elf_kind kind;
	uint16_t machine, type;
	uint8_t class, data;
	uint32_t flags;
	const struct sb_arch *arch; /* NULL: a machine that we know nothing about */

	const char *interp;		      /* PT_INTERP; NULL none */
	const char *soname, *rpath, *runpath; /* NULL none; rpath is NULL where runpath is not */
	const struct sb_elf_dep *deps;	      /* in the order of the dynamic section */
	size_t dep_count;
	bool nodeflib; /* DF_1_NODEFLIB */
	bool unwinds;  /* calls what makes glibc load libgcc_s: thread cancellation, backtraces */

	uint64_t tls_size;  /* PT_TLS: 0 none */
	unsigned isa_level; /* x86-64-vN needed by .note.gnu.property; 0 not said, 1 baseline */
	unsigned glibc[2];  /* highest GLIBC_major.minor needed; 0, 0 none */
	unsigned kernel[3]; /* ABI tag; 0, 0, 0 none */
	const struct sb_dlopen *dlopens;
	size_t dlopen_count;

	dev_t dev;
	ino_t ino;
	struct sb_elf_store *store;
};

/* Whether these first bytes of a file are those of an ELF file. */
bool sb_elf_magic(const void *head, size_t len);

/*
 * Reads the file behind `fd`; `name` is for the error's line. 0; -ENOEXEC where it is no ELF file
 * at all; -SB_ESAID where it is damaged or lies.
 */
int sb_elf_read(int fd, const char *name, struct sb_elf **ret, struct sb_err *err);
void sb_elf_free(struct sb_elf *elf);

/* Whether both can be loaded into one process. */
static inline bool sb_elf_same_machine(const struct sb_elf *a, const struct sb_elf *b)
{
	return a->machine == b->machine && a->class == b->class && a->data == b->data &&
	       a->arch == b->arch;
}
