#include "tracer/program.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "common/cleanup.h"
#include "tracer/wire.h"

/* What the kernel reads of a script's first line (BINPRM_BUF_SIZE). */
#define FIRST_LINE   256
#define HEADERS_MOST 64

#if defined(__x86_64__)
#define OUR_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define OUR_MACHINE EM_AARCH64
#endif

static int read_script(const char *line, size_t len, struct sb_buf *ret)
{
	const char *p = line + 2, *end = memchr(line, '\n', len);

	if (!end)
		end = line + len;
	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	const char *stop = p;
	while (stop < end && *stop != ' ' && *stop != '\t' && *stop)
		stop++;
	return sb_buf_add(ret, p, (size_t)(stop - p));
}

/* PT_INTERP's text; false: there is none, the program is static. */
static bool read_interp(int fd, const Elf64_Ehdr *eh, char *ret, size_t size)
{
	Elf64_Phdr ph[HEADERS_MOST];
	size_t count = eh->e_phnum < HEADERS_MOST ? eh->e_phnum : HEADERS_MOST;
	ssize_t n = pread(fd, ph, count * sizeof *ph, (off_t)eh->e_phoff);

	if (eh->e_phentsize != sizeof *ph || n < 0)
		return false;
	for (size_t i = 0; i < (size_t)n / sizeof *ph; i++) {
		size_t len = ph[i].p_filesz < size ? ph[i].p_filesz : size - 1;

		if (ph[i].p_type != PT_INTERP)
			continue;
		ssize_t got = pread(fd, ret, len, (off_t)ph[i].p_offset);
		ret[got > 0 ? got : 0] = '\0';
		return true;
	}
	return false;
}

static uint64_t look_at_elf(int fd, const char *head, size_t len)
{
	char interp[256];
	Elf64_Ehdr eh;

	if (head[EI_CLASS] != ELFCLASS64 || len < sizeof eh)
		return SB_PROG_FOREIGN;
	memcpy(&eh, head, sizeof eh);
	if (eh.e_machine != OUR_MACHINE)
		return SB_PROG_FOREIGN;
	if (!read_interp(fd, &eh, interp, sizeof interp))
		return SB_PROG_STATIC;
	return strstr(interp, "/ld-musl-") ? SB_PROG_MUSL : 0;
}

int sb_program_look(const char *path, struct sb_program_look *ret)
{
	char head[FIRST_LINE];
	struct stat st;
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	ret->info = 0;
	sb_buf_cut(&ret->script, 0);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	ssize_t n = pread(fd, head, sizeof head, 0);
	if (n < 0)
		return -errno;
	if (n > 2 && head[0] == '#' && head[1] == '!') {
		ret->info = SB_PROG_SCRIPT;
		return read_script(head, (size_t)n, &ret->script);
	}
	if (n >= EI_NIDENT && memcmp(head, ELFMAG, SELFMAG) == 0)
		ret->info = look_at_elf(fd, head, (size_t)n);
	/* The set-id bits count only where they change something, file capabilities always. */
	if ((st.st_mode & S_ISUID && st.st_uid != geteuid()) ||
	    (st.st_mode & S_ISGID && st.st_mode & S_IXGRP && st.st_gid != getegid()) ||
	    fgetxattr(fd, "security.capability", NULL, 0) > 0)
		ret->info |= SB_PROG_SETID;
	return 0;
}
