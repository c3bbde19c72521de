/*
 * What depends on the machine that an ELF file was made for: the names that its dynamic linker
 * puts into paths, the directories that it looks in when we cannot ask it. Taken from the file,
 * never from the machine that we run on.
 */
#pragma once

#include <stdint.h>

struct sb_arch {
	uint16_t machine;    /* e_machine */
	uint8_t class;	     /* ELFCLASS32, ELFCLASS64 */
	uint8_t data;	     /* ELFDATA2LSB, ELFDATA2MSB */
	uint32_t flags_mask; /* of e_flags, where they tell two ABIs apart */
	uint32_t flags;
	const char *name;	  /* uname's word */
	const char *triplet;	  /* Debian's directory below lib */
	const char *libdir;	  /* "lib64": elsewhere */
	const char *interp;	  /* glibc's */
	const char *musl;	  /* /lib/ld-musl-THIS.so.1; NULL none */
	uint32_t cache_flags;	  /* of its entries in ld.so.cache */
	const char *platforms[4]; /* $PLATFORM on the various processors, the plainest one last */
	const char *hwcaps[5];	  /* below glibc-hwcaps/, best first */
	const char *legacy[8];	  /* subdirectories that glibc before 2.37 looked in */
};

/* NULL for a machine that we know nothing about. */
const struct sb_arch *sb_arch_find(uint16_t machine, uint8_t class, uint8_t data, uint32_t flags);
