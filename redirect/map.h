/*
 * Maps an ELF file as execve(2) would. Nothing of it runs; what was mapped stays.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* <elf.h> is libc's; these are the gABI's Elf64_* by other names. */
struct sb_file_header {
	uint8_t ident[16];
	uint16_t type, machine;
	uint32_t version;
	uint64_t entry, headers, sections;
	uint32_t flags;
	uint16_t size, header_size, header_count, section_size, section_count, names;
};

struct sb_program_header {
	uint32_t type, flags;
	uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

struct sb_aux {
	uint64_t type, value;
};

struct sb_image {
	uintptr_t base; /* what is added to addresses in the file */
	uintptr_t entry, headers;
	size_t header_count;
	char interp[256]; /* empty: none */
};

/* Only interp: 0, or -errno where it is no program for this machine or needs no dynamic linker. */
int sb_read_interp(const char *path, struct sb_image *ret);
/* 0, or -errno. `page`: how large this machine's are. */
int sb_map_image(const char *path, uintptr_t page, struct sb_image *ret);
