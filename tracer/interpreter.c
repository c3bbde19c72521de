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

/* What matters of the headers, of either class. */
struct program_headers {
	uint64_t at;
	unsigned size, count;
};

static bool find_headers(const struct head *head, bool wide, struct program_headers *ret)
{
	Elf64_Ehdr e64;
	Elf32_Ehdr e32;

	if (wide ? !piece(head, 0, &e64, sizeof e64) : !piece(head, 0, &e32, sizeof e32))
		return false;
	*ret = wide ? (struct program_headers){e64.e_phoff, e64.e_phentsize, e64.e_phnum}
		    : (struct program_headers){e32.e_phoff, e32.e_phentsize, e32.e_phnum};
	return true;
}

static bool elf_interpreter(const struct head *head, bool wide, struct sb_interpreter *ret)
{
	struct program_headers headers;
	Elf64_Phdr p64;
	Elf32_Phdr p32;

	if (!find_headers(head, wide, &headers))
		return false;
	for (unsigned i = 0; i < headers.count; i++) {
		uint64_t at = headers.at + (uint64_t)i * headers.size;

		if (wide ? !piece(head, at, &p64, sizeof p64) : !piece(head, at, &p32, sizeof p32))
			return false;
		if ((wide ? p64.p_type : p32.p_type) == PT_INTERP)
			return name_at(head, wide ? p64.p_offset : p32.p_offset,
				       wide ? p64.p_filesz : p32.p_filesz, ret);
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
	return elf_interpreter(&head, head.bytes[EI_CLASS] == ELFCLASS64, ret);
}
