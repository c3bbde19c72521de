/* Makes tiny ELF files, sound or damaged, of any machine, without a compiler. */
#pragma once

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct mini_tag {
	int64_t tag;
	const char *text; /* NULL: `value` counts */
	uint64_t value;
};

struct mini_elf {
	uint8_t class;	  /* 0: ELFCLASS64 */
	uint16_t machine; /* 0: EM_X86_64 */
	uint16_t type;	  /* 0: ET_DYN */
	const char *interp;
	const struct mini_tag *tags; /* ends with tag 0 */
	const void *note;	     /* a whole PT_NOTE */
	size_t note_len;
	uint64_t tls;
};

/* Where in the file things were put: for tests that damage them. */
struct mini_at {
	size_t phdrs, strings, dynamic, len;
};

struct mini_out {
	unsigned char *bytes;
	size_t at;
	int wide;
};

static inline void mini_put(struct mini_out *o, uint64_t value, size_t size)
{
	for (size_t i = 0; i < size; i++)
		o->bytes[o->at++] = (unsigned char)(value >> 8 * i);
}

/* An address, an offset or a size: as wide as the class. */
static inline void mini_word(struct mini_out *o, uint64_t value)
{
	mini_put(o, value, o->wide ? 8 : 4);
}

static inline void mini_phdr(struct mini_out *o, uint32_t type, uint64_t offset, uint64_t filesz,
			     uint64_t memsz)
{
	mini_put(o, type, 4);
	if (o->wide)
		mini_put(o, PF_R, 4);
	mini_word(o, offset);
	mini_word(o, offset);
	mini_word(o, offset);
	mini_word(o, filesz);
	mini_word(o, memsz);
	if (!o->wide)
		mini_put(o, PF_R, 4);
	mini_word(o, 4);
}

static inline void mini_header(struct mini_out *o, const struct mini_elf *m, unsigned phnum)
{
	static const unsigned char magic[] = {0x7f, 'E', 'L', 'F'};

	memcpy(o->bytes, magic, sizeof magic);
	o->bytes[EI_CLASS] = o->wide ? ELFCLASS64 : ELFCLASS32;
	o->bytes[EI_DATA] = ELFDATA2LSB;
	o->bytes[EI_VERSION] = EV_CURRENT;
	o->at = EI_NIDENT;
	mini_put(o, m->type ? m->type : ET_DYN, 2);
	mini_put(o, m->machine ? m->machine : EM_X86_64, 2);
	mini_put(o, EV_CURRENT, 4);
	mini_word(o, 0);
	mini_word(o, o->wide ? 64 : 52); /* program headers */
	mini_word(o, 0);
	mini_put(o, 0, 4);
	mini_put(o, o->wide ? 64 : 52, 2);
	mini_put(o, o->wide ? 56 : 32, 2);
	mini_put(o, phnum, 2);
	mini_put(o, o->wide ? 64 : 40, 2);
	mini_put(o, 0, 2);
	mini_put(o, 0, 2);
}

/* bytes: 64 KiB of room, zeroed. Returns the length. */
static inline size_t mini_build(const struct mini_elf *m, unsigned char *bytes, struct mini_at *at)
{
	struct mini_out o = {bytes, 0, m->class != ELFCLASS32};
	size_t phnum = 1 + !!m->interp + !!m->tags + !!m->note + !!m->tls;
	size_t phdrs = o.wide ? 64 : 52;
	size_t interp = phdrs + phnum * (o.wide ? 56 : 32);
	size_t strings = interp + (m->interp ? strlen(m->interp) + 1 : 0);
	size_t strings_len = 1, count = 0;

	for (const struct mini_tag *t = m->tags; t && t->tag; t++, count++)
		strings_len += t->text ? strlen(t->text) + 1 : 0;
	size_t dynamic = (strings + strings_len + 7) & ~(size_t)7;
	size_t dynamic_len = m->tags ? (count + 3) * (o.wide ? 16 : 8) : 0;
	size_t note = (dynamic + dynamic_len + 7) & ~(size_t)7;
	size_t len = note + m->note_len;

	mini_header(&o, m, (unsigned)phnum);
	mini_phdr(&o, PT_LOAD, 0, len, len);
	if (m->interp)
		mini_phdr(&o, PT_INTERP, interp, strlen(m->interp) + 1, strlen(m->interp) + 1);
	if (m->tags)
		mini_phdr(&o, PT_DYNAMIC, dynamic, dynamic_len, dynamic_len);
	if (m->note)
		mini_phdr(&o, PT_NOTE, note, m->note_len, m->note_len);
	if (m->tls)
		mini_phdr(&o, PT_TLS, 0, 0, m->tls);
	if (m->interp)
		strcpy((char *)bytes + interp, m->interp);
	o.at = dynamic;
	size_t text = 1;
	for (const struct mini_tag *t = m->tags; t && t->tag; t++) {
		mini_word(&o, (uint64_t)t->tag);
		mini_word(&o, t->text ? text : t->value);
		if (t->text) {
			strcpy((char *)bytes + strings + text, t->text);
			text += strlen(t->text) + 1;
		}
	}
	if (m->tags) {
		mini_word(&o, DT_STRTAB);
		mini_word(&o, strings);
		mini_word(&o, DT_STRSZ);
		mini_word(&o, strings_len);
	}
	if (m->note)
		memcpy(bytes + note, m->note, m->note_len);
	if (at)
		*at = (struct mini_at){phdrs, strings, dynamic, len};
	return len;
}

/* dir + path, and the directories above it. 0, or -1. */
static inline int mini_write(const char *dir, const char *path, const void *bytes, size_t len,
			     mode_t mode)
{
	char full[4096];

	(void)snprintf(full, sizeof full, "%s%s", dir, path);
	for (char *slash = full + strlen(dir) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		(void)mkdir(full, 0755);
		*slash = '/';
	}
	int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0)
		return -1;
	ssize_t n = write(fd, bytes, len);
	return close(fd) < 0 || n != (ssize_t)len ? -1 : 0;
}

static inline int mini_file(const char *dir, const char *path, const struct mini_elf *m)
{
	static unsigned char bytes[65536];

	memset(bytes, 0, sizeof bytes);
	return mini_write(dir, path, bytes, mini_build(m, bytes, NULL), 0755);
}
