#include "auditor/sites.h"

#ifdef __x86_64__

#include <asm/unistd.h>
#include <linux/fcntl.h>

#define PAGE 4096u

static bool is_ours(uint32_t number)
{
	switch (number) {
	case __NR_open:
	case __NR_openat:
	case __NR_stat:
	case __NR_lstat:
	case __NR_newfstatat:
	case __NR_access:
		return true;
	default:
		return false;
	}
}

static uint32_t word(const uint8_t *code)
{
	uint32_t value;

	__builtin_memcpy(&value, code, sizeof(value));
	return value;
}

bool sb_site_read(const uint8_t *code, struct sb_site *ret)
{
	const uint8_t *number = code;

	if (code[5] != 0x0f || code[6] != 0x05)
		return false;
	if (code[0] == 0xbf) {
		if (word(code + 1) != (uint32_t)AT_FDCWD || code[-3] != 0x48 || code[-2] != 0x89 ||
		    code[-1] != 0xfe)
			return false;
		number = code - SB_SITE_BEFORE;
	}
	/* A REX prefix with B set would mean another register. What comes before may end like one,
	 * too; then it is left alone. */
	if (number[0] != 0xb8 || !is_ours(word(number + 1)) ||
	    (number == code && (code[-1] & 0xf1) == 0x41))
		return false;
	*ret = (struct sb_site){(long)word(number + 1), number != code};
	return true;
}

unsigned sb_sites_find(const uint8_t *text, size_t size, uint32_t *ret_offsets, unsigned most)
{
	unsigned count = 0;
	struct sb_site site;

	for (size_t i = SB_SITE_BEFORE; i + SB_SITE_LENGTH <= size && count < most; i++)
		if (text[i + 5] == 0x0f && sb_site_read(text + i, &site))
			ret_offsets[count++] = (uint32_t)i;
	return count;
}

static uintptr_t page_of(const uint8_t *text, uint32_t offset)
{
	return (uintptr_t)(text + offset) / PAGE;
}

/* Whether it is such a call, and alone in its page or not. */
static bool is_access(const uint8_t *text, const uint32_t *offsets, unsigned count, unsigned which,
		      bool alone)
{
	struct sb_site site;
	unsigned beside = 0;

	for (unsigned i = 0; i < count; i++)
		beside += i != which && page_of(text, offsets[i]) == page_of(text, offsets[which]);
	return sb_site_read(text + offsets[which], &site) && site.number == __NR_access &&
	       alone == !beside;
}

unsigned sb_sites_trim(const uint8_t *text, uint32_t *offsets, unsigned count)
{
	bool others = false;
	uint32_t alone = 0; /* bits */
	unsigned left = 0;

	for (unsigned i = 0; i < count; i++) {
		others |= is_access(text, offsets, count, i, false);
		alone |= (uint32_t)is_access(text, offsets, count, i, true) << i;
	}
	for (unsigned i = 0; i < count; i++)
		if (!others || !(alone >> i & 1))
			offsets[left++] = offsets[i];
	return left;
}

#endif
