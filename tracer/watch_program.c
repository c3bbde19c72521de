/* What a program file says of itself: read once, and again when it has changed. */
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "tracer/watch_private.h"

/* So many are remembered. */
#define PROGRAMS_MOST 4096
/* A file system's clock may tick that seldom. */
#define SETTLED_SECONDS 3
/* What it reads of a first line, since 5.1. */
#define LINE_MOST 256u
/* Where the program headers and the name of the linker are, in every program but odd ones. */
#define HEAD_MOST 4096u

struct head {
	char bytes[HEAD_MOST + 1];
	size_t len;
};

/* What a program names as its interpreter: by a first line, or by its ELF header. */
struct interpreter {
	char path[PATH_MAX];
	bool script;
};

static bool read_head(const char *path, struct head *ret)
{
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return false;
	ssize_t n = pread(fd, ret->bytes, HEAD_MOST, 0);
	if (n < 0)
		return false;
	ret->len = (size_t)n;
	ret->bytes[n] = '\0';
	return true;
}

static bool first_line(const struct head *head, struct interpreter *ret)
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

static bool name_at(const struct head *head, uint64_t at, uint64_t size, struct interpreter *ret)
{
	if (size < 2 || size > sizeof ret->path || !piece(head, at, ret->path, size))
		return false;
	ret->path[size - 1] = '\0';
	ret->script = false;
	return true;
}

static bool elf64_interpreter(const struct head *head, struct interpreter *ret)
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

static bool elf32_interpreter(const struct head *head, struct interpreter *ret)
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

static bool interpreter_of(const struct head *head, struct interpreter *ret)
{
	if (first_line(head, ret))
		return true;
	if (head->len < EI_NIDENT || memcmp(head->bytes, ELFMAG, SELFMAG) != 0)
		return false;
	return head->bytes[EI_CLASS] == ELFCLASS64 ? elf64_interpreter(head, ret)
						   : elf32_interpreter(head, ret);
}

/* --- what it is, and what is remembered of it ------------------------------------------------ */

/* What changes with every change of the file; all of it is set, padding too. */
struct identity {
	uint64_t dev, ino, size;
	int64_t mtime, mtime_ns, ctime, ctime_ns;
};

static struct identity identity_of(const struct stat *st)
{
	return (struct identity){
		.dev = st->st_dev,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime = st->st_mtim.tv_sec,
		.mtime_ns = st->st_mtim.tv_nsec,
		.ctime = st->st_ctim.tv_sec,
		.ctime_ns = st->st_ctim.tv_nsec,
	};
}

/* Set-id bits, and the capabilities of a file. */
static bool gains(const char *path, const struct stat *st)
{
	return (st->st_mode & S_ISUID && st->st_uid != geteuid()) ||
	       ((st->st_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
		st->st_gid != getegid()) ||
	       getxattr(path, "security.capability", NULL, 0) > 0;
}

/* False: it may be another answer the next time. */
static bool read_program(struct sb_watch *w, const char *path, const struct stat *st,
			 struct watch_program *ret)
{
	struct interpreter next;
	struct head head;

	/* Only what runs without its privilege is asked about. */
	ret->gains = w->spec.no_new_privs && gains(path, st);
	if (!read_head(path, &head))
		return false;
	if (interpreter_of(&head, &next)) {
		ret->interpreter = watch_intern(w, next.path);
		ret->script = next.script;
	}
	/* Changed just now, it may be changed once more and bear the same time. */
	return st->st_ctim.tv_sec + SETTLED_SECONDS < time(NULL);
}

void watch_program(struct sb_watch *w, const char *path, struct watch_program *ret)
{
	struct watch_program *kept;
	struct stat st;

	*ret = (struct watch_program){0};
	if (stat(path, &st) < 0 || !S_ISREG(st.st_mode))
		return;
	struct identity id = identity_of(&st);
	const struct sb_map_entry *e = sb_map_find(&w->programs, (char *)&id, sizeof id);
	if (e && e->value) {
		*ret = *(struct watch_program *)e->value;
		return;
	}
	if (!read_program(w, path, &st, ret))
		return;
	if (w->programs.count >= PROGRAMS_MOST)
		watch_forget_programs(w);
	kept = malloc(sizeof *kept);
	struct sb_map_entry *fresh =
		kept ? sb_map_add(&w->programs, (char *)&id, sizeof id, NULL) : NULL;
	if (!fresh) {
		free(kept);
		return;
	}
	*kept = *ret;
	fresh->value = kept;
}

void watch_forget_programs(struct sb_watch *w)
{
	for (size_t i = 0; i < w->programs.count; i++)
		free(w->programs.entries[i].value);
	sb_map_free(&w->programs);
}
