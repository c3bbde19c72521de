#include "preload/readable.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "preload/arch.h"
#include "preload/str.h"

#define PAGE  4096ul
#define KNOWN 16

/* Of one list: what is mapped now may not be when the next is looked at. */
struct pages {
	uintptr_t known[KNOWN];
};

static bool is_there(struct pages *pages, uintptr_t at)
{
	uintptr_t page = at & ~(PAGE - 1), *slot = &pages->known[page / PAGE % KNOWN];

	if (!page || *slot == page)
		return page != 0;
	/* The set is read before the kernel refuses to do nothing that it knows. */
	if (sb_arch_syscall(SYS_rt_sigprocmask, -1, (long)page, 0, 8, 0, 0) == -EFAULT)
		return false;
	*slot = page;
	return true;
}

/* Where it ends matters only where it may go on in another page. */
static bool string_is_there(struct pages *pages, const char *s, size_t most)
{
	while (is_there(pages, (uintptr_t)s)) {
		size_t room = PAGE - (uintptr_t)s % PAGE;

		if (most <= room || sb_strnlen(s, room) < room)
			return true;
		s += room;
		most -= room;
	}
	return false;
}

bool sb_readable_list(char *const *list, size_t most)
{
	struct pages pages = {{0}};

	for (; list; list++) {
		if (!is_there(&pages, (uintptr_t)list))
			return false;
		if (!*list)
			break;
		if (!string_is_there(&pages, *list, most))
			return false;
	}
	return true;
}
