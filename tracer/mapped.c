#include "tracer/mapped.h"

#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static struct sb_mapped *all;
static struct sigaction before;
static uintptr_t page_size;

/* It comes from the access itself, so never while the list is being changed. */
static void supply(int sig, siginfo_t *info, void *context)
{
	char *address = info->si_addr;
	int saved = errno;

	(void)context;
	for (struct sb_mapped *m = all; m; m = m->next) {
		char *page = address - (uintptr_t)address % page_size;

		if (info->si_code <= 0 || address < m->memory || address >= m->memory + m->size)
			continue;
		if (mmap(page, page_size, m->prot, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) == MAP_FAILED)
			break;
		*m->cut = 1;
		errno = saved;
		return;
	}
	/* Not ours: the access is made once more, and ends as it did before. */
	(void)sigaction(sig, &before, NULL);
}

void sb_mapped_add(struct sb_mapped *mapped)
{
	struct sigaction action = {.sa_sigaction = supply, .sa_flags = SA_SIGINFO};

	mapped->next = all;
	all = mapped;
	if (mapped->next)
		return;
	page_size = (uintptr_t)sysconf(_SC_PAGESIZE);
	(void)sigaction(SIGBUS, &action, &before); /* of such arguments it cannot fail */
}

void sb_mapped_remove(struct sb_mapped *mapped)
{
	struct sb_mapped **link = &all;

	while (*link && *link != mapped)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = mapped->next;
	if (!all)
		(void)sigaction(SIGBUS, &before, NULL);
}
