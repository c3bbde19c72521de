#include "tracer/interpreter.h"

#include <elf.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* What it reads of a first line, since 5.1. */
#define LINE_MOST 256u
/* Where the program headers and the name of the linker are, in every program but odd ones. */
#define HEAD_MOST 4096u

struct head {
	char bytes[HEAD_MOST + 1];
	size_t len;
};

static int read_head(int fd, struct head *ret)
{
	ssize_t n = pread(fd, ret->bytes, HEAD_MOST, 0);

	if (n < 0)
		return -errno;
	ret->len = (size_t)n;
	ret->bytes[n] = '\0';
	return 0;
}

static bool first_line(const struct head *head, struct sb_interpreter *ret)
{
	const char *p = head->bytes + 2, *end;
	size_t line = head->len < LINE_MOST ? head->len : LINE_MOST;

	if (head->len < 3 || head->bytes[0] != '#' || head->bytes[1] != '!')
		return false;
	end = memchr(head->bytes, '\n', line);
	if (!end)
		end = head->bytes + line;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	size_t len = strcspn(p, " \t\n");
	len = len < (size_t)(end - p) ? len : (size_t)(end - p);
	if (!len)
		return false;
	memcpy(ret->path, p, len);
	ret->path[len] = '\0';
	ret->script = true;
	return true;
}

/* A run of the head, as far as it is there. */
static bool piece(const struct head *head, uint64_t at, void *ret, size_t size)
{
	if (at > head->len || size > head->len - at)
		return false;
	memcpy(ret, head->bytes + at, size);
	return true;
}

static bool name_at(const struct head *head, uint64_t at, uint64_t size, struct sb_interpreter *ret)
{
	if (size < 2 || size > sizeof ret->path || !piece(head, at, ret->path, size))
		return false;
	ret->path[size - 1] = '\0';
	ret->script = false;
	return true;
}

static bool elf64_interpreter(const struct head *head, struct sb_interpreter *ret)
{
	Elf64_Ehdr eh;
	Elf64_Phdr ph;

	if (!piece(head, 0, &eh, sizeof eh))
		return false;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		if (!piece(head, eh.e_phoff + (uint64_t)i * eh.e_phentsize, &ph, sizeof ph))
			return false;
		if (ph.p_type == PT_INTERP)
			return name_at(head, ph.p_offset, ph.p_filesz, ret);
	}
	return false;
}

static bool elf32_interpreter(const struct head *head, struct sb_interpreter *ret)
{
	Elf32_Ehdr eh;
	Elf32_Phdr ph;

	if (!piece(head, 0, &eh, sizeof eh))
		return false;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		if (!piece(head, eh.e_phoff + (uint64_t)i * eh.e_phentsize, &ph, sizeof ph))
			return false;
		if (ph.p_type == PT_INTERP)
			return name_at(head, ph.p_offset, ph.p_filesz, ret);
	}
	return false;
}

int sb_interpreter_of(int fd, struct sb_interpreter *ret)
{
	struct head head;
	int rc = read_head(fd, &head);

	if (rc < 0)
		return rc;
	if (first_line(&head, ret))
		return 1;
	if (head.len < EI_NIDENT || memcmp(head.bytes, ELFMAG, SELFMAG) != 0)
		return 0;
	return head.bytes[EI_CLASS] == ELFCLASS64 ? elf64_interpreter(&head, ret)
						  : elf32_interpreter(&head, ret);
}
