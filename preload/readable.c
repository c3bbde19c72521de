#include "preload/readable.h"

#include <errno.h>
#include <stdint.h>
#include <sys/syscall.h>

#include "preload/arch.h"

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

static bool string_is_there(struct pages *pages, const char *s, size_t most)
{
	for (size_t i = 0; i < most; i++) {
		if ((!i || !((uintptr_t)(s + i) % PAGE)) && !is_there(pages, (uintptr_t)(s + i)))
			return false;
		if (!s[i])
			break;
	}
	return true;
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
