/* What the target must have at least, as the ELF files of the payload say. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bundler/draft_state.h"
#include "bundler/elf.h"
#include "common/cleanup.h"

struct needs {
	unsigned kernel[3], glibc[2], isa_level;
};

static void raise_to(unsigned *most, const unsigned *one, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (one[i] == most[i])
			continue;
		if (one[i] > most[i])
			memcpy(most, one, count * sizeof *most);
		return;
	}
}

static void count_elf(struct needs *needs, const struct sb_elf *elf, const char *path)
{
	raise_to(needs->kernel, elf->kernel, 3);
	raise_to(needs->glibc, elf->glibc, 2);
	/* Those are taken only where the processor has what they need. */
	if (!strstr(path, "/glibc-hwcaps/") && elf->isa_level > needs->isa_level)
		needs->isa_level = elf->isa_level;
}

static const struct sb_elf *known(const struct sb_draft *draft, const char *path)
{
	const struct sb_elf *elf = NULL;

	for (size_t i = 0; !elf && i < draft->state->closure_count; i++)
		elf = sb_closure_elf(draft->state->closures[i].closure, path);
	return elf;
}

/* A file that no closure has looked at: one that was loaded by name, or copied. */
static void count_file(struct needs *needs, const struct sb_item *item)
{
	struct sb_err ignored = SB_ERR_INIT;
	struct sb_elf *elf;
	char magic[4];
	auto_fd int fd = open(item->source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0 || pread(fd, magic, sizeof magic, 0) != sizeof magic ||
	    !sb_elf_magic(magic, sizeof magic) || sb_elf_read(fd, item->source, &elf, &ignored) < 0)
		return;
	count_elf(needs, elf, item->path);
	sb_elf_free(elf);
}

/* What the programs are for, wherever they are bundled; NULL where that is this machine, or
 * unknown. */
static const char *arch_of(const struct sb_draft *draft)
{
	for (size_t i = 0; i < draft->state->closure_count; i++) {
		const struct draft_closure *c = &draft->state->closures[i];
		struct sb_err ignored = SB_ERR_INIT;
		struct sb_program program;
		const struct sb_elf *elf = NULL;

		if (c->program &&
		    sb_closure_program(c->closure, c->program, &program, &ignored) == 0 &&
		    program.elf)
			elf = sb_closure_elf(c->closure, program.elf);
		if (elf && elf->arch)
			return elf->arch->name;
	}
	return NULL;
}

int draft_find_needs(struct sb_draft *draft, struct sb_err *err)
{
	struct needs needs = {{0}, {0}, 0};
	char text[64];

	draft->arch = arch_of(draft);
	for (size_t i = 0; i < draft->set->count; i++) {
		const struct sb_item *item = &draft->set->items[i];
		const struct sb_elf *elf = known(draft, item->path);

		if (item->type != SB_ITEM_FILE || !item->source)
			continue;
		if (elf)
			count_elf(&needs, elf, item->path);
		else if (item->st.st_mode & 0111 || strstr(item->path, ".so"))
			count_file(&needs, item);
	}
	if (needs.kernel[0]) {
		(void)snprintf(text, sizeof text, "%u.%u.%u", needs.kernel[0], needs.kernel[1],
			       needs.kernel[2]);
		draft->kernel = draft_string(draft, text);
	}
	if (needs.glibc[0]) {
		(void)snprintf(text, sizeof text, "%u.%u", needs.glibc[0], needs.glibc[1]);
		draft->glibc = draft_string(draft, text);
	}
	if (needs.isa_level > 1)
		(void)snprintf(text, sizeof text, "x86-64-v%u", needs.isa_level);
	if (needs.isa_level)
		draft->cpu = draft_string(draft, needs.isa_level > 1 ? text : "x86-64");
	if ((needs.kernel[0] && !draft->kernel) || (needs.glibc[0] && !draft->glibc) ||
	    (needs.isa_level && !draft->cpu))
		return sb_fail(err, ENOMEM, "plan the bundle");
	return 0;
}
