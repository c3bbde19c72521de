/*
 * Pointers that the program passes: for one that leads nowhere the kernel has EFAULT, and we would
 * crash. So each page is asked for before it is read, once: what answered is remembered, until
 * memory is taken away or forbidden (the gates hear of that).
 */
#include <asm/unistd.h>
#include <linux/errno.h>

#include "preload/arch.h"
#include "redirect/redirect.h"

#define PAGE	   4096ul
#define REMEMBERED 64

static uintptr_t there[REMEMBERED];

static bool is_there(uintptr_t page)
{
	uintptr_t *slot = &there[page / PAGE % REMEMBERED];

	if (__atomic_load_n(slot, __ATOMIC_RELAXED) == page)
		return true;
	/* The set is read before the kernel refuses to do nothing that it knows. */
	if (sb_arch_syscall(__NR_rt_sigprocmask, -1, (long)page, 0, 8, 0, 0) == -EFAULT)
		return false;
	__atomic_store_n(slot, page, __ATOMIC_RELAXED);
	return true;
}

void sb_forget_memory(void)
{
	for (size_t i = 0; i < REMEMBERED; i++)
		__atomic_store_n(&there[i], 0, __ATOMIC_RELAXED);
}

bool sb_can_read(const void *from, size_t size)
{
	uintptr_t page = (uintptr_t)from & ~(PAGE - 1), end = (uintptr_t)from + size;

	if (sb_is_bad(from))
		return false;
	for (; page < end; page += PAGE)
		if (!is_there(page))
			return false;
	return true;
}

static uint64_t word_at(uintptr_t at)
{
	uint64_t word;

	__builtin_memcpy(&word, (const void *)at, sizeof(word));
	return word;
}

/* Word by word: an aligned one lies in one page. `end`: of the page. */
static bool ends_before(uintptr_t from, uintptr_t end)
{
	const uint64_t ones = 0x0101010101010101, tops = 0x8080808080808080;
	uintptr_t at = from & ~7ul;
	uint64_t word = word_at(at);

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	word |= ((uint64_t)1 << 8 * (from & 7)) - 1;
#endif
	while (!((word - ones) & ~word & tops)) {
		at += sizeof(word);
		if (at == end)
			return false;
		word = word_at(at);
	}
	return true;
}

bool sb_can_read_string(const char *s)
{
	uintptr_t from = (uintptr_t)s, last = from + SB_PATH_MAX;

	if (sb_is_bad(s))
		return false;
	for (uintptr_t page = from & ~(PAGE - 1); page <= last; page += PAGE) {
		if (!is_there(page))
			return false;
		if (ends_before(page < from ? from : page, page + PAGE))
			return true;
	}
	return true; /* longer than any path: nobody reads it to its end */
}

bool sb_count_list(char *const *list, size_t *ret)
{
	size_t n = 0;

	if (list)
		for (;; n++) {
			if ((!n || !((uintptr_t)&list[n] % PAGE)) &&
			    !sb_can_read(&list[n], sizeof(*list)))
				return false;
			if (!list[n])
				break;
		}
	*ret = n;
	return true;
}
