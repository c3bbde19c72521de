#include "bundler/elf_note.h"

#include <byteswap.h>
#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define NOTE_FDO_DLOPEN 0x407c0c0a

static uint32_t word(const struct sb_notes *notes, const unsigned char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof v);
	return notes->swap ? bswap_32(v) : v;
}

/* x86's own property: a bit for each level of the psABI that the code was made for. */
static void read_properties(struct sb_notes *notes, const unsigned char *p, size_t len)
{
	size_t align = notes->wide ? 8 : 4;

	while (len >= 8) {
		uint32_t type = word(notes, p), size = word(notes, p + 4);
		size_t step = 8 + (((size_t)size + align - 1) & ~(align - 1));

		if (size > len - 8)
			return;
		if (type == GNU_PROPERTY_X86_ISA_1_NEEDED && size == 4) {
			uint32_t bits = word(notes, p + 8);

			for (unsigned level = 1; level <= 4; level++)
				if (bits & 1u << (level - 1) && level > notes->isa_level)
					notes->isa_level = level;
		}
		if (step >= len)
			return;
		p += step;
		len -= step;
	}
}

static int read_note(struct sb_notes *notes, uint32_t type, const unsigned char *owner,
		     const unsigned char *desc, size_t len)
{
	if (memcmp(owner, "GNU", 4) == 0 && type == NT_GNU_ABI_TAG && len >= 16 &&
	    word(notes, desc) == ELF_NOTE_OS_LINUX) {
		for (int i = 0; i < 3; i++)
			notes->kernel[i] = word(notes, desc + 4 + 4 * i);
	} else if (memcmp(owner, "GNU", 4) == 0 && type == NT_GNU_PROPERTY_TYPE_0) {
		read_properties(notes, desc, len);
	} else if (memcmp(owner, "FDO", 4) == 0 && type == NOTE_FDO_DLOPEN) {
		int rc = sb_dlopen_parse(notes, (const char *)desc, len);

		if (rc == -EBADMSG)
			notes->malformed = true;
		else if (rc < 0)
			return rc;
	}
	return 0;
}

int sb_notes_read(struct sb_notes *notes, const void *bytes, size_t len, size_t align)
{
	const unsigned char *p = bytes;
	size_t mask = (align == 8 ? 8 : 4) - 1;

	while (len >= 12) {
		uint64_t name = word(notes, p), desc = word(notes, p + 4);
		uint64_t at = (12 + name + mask) & ~(uint64_t)mask;
		uint64_t next = (at + desc + mask) & ~(uint64_t)mask;

		if (at + desc > len)
			return 0;
		if (name == 4) {
			int rc = read_note(notes, word(notes, p + 8), p + 12, p + at, desc);

			if (rc < 0)
				return rc;
		}
		if (next >= len)
			return 0;
		p += next;
		len -= next;
	}
	return 0;
}

void sb_notes_free(struct sb_notes *notes)
{
	for (size_t i = 0; i < notes->dlopen_count; i++)
		free((void *)notes->dlopens[i].sonames);
	free(notes->dlopens);
	notes->dlopens = NULL;
	notes->dlopen_count = 0;
}
