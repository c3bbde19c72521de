/* Calls by number in what gcc makes of libc (2.31 to 2.43), x86_64. */
#include "tracer/retext_number.h"

#include "common/x86.h"
#include "tracer/syscalls.h"

#define BACK	  48u  /* bytes that a number stands before its call */
#define FAR_BACK  256u /* and one that is kept in another register */
#define MOST	  0x1000u
#define NR_OPENAT 257u
#define NO_CALL	  0u

bool sb_retext_watched(uint32_t number)
{
	const struct sb_syscall *call = sb_syscall_find(SB_ABI_X86_64, number);

	if (!call)
		return false;
	switch (call->act) {
	case SB_ACT_HANDLE:
	case SB_ACT_URING:
	case SB_ACT_PTRACE:
	case SB_ACT_CLONE:
		return false;
	default:
		return true;
	}
}

/* mov $number, reg, and no prefix that makes it another one. */
static bool is_number(const uint8_t *p, unsigned reg)
{
	return p[0] == (0xb8 | (reg & 7)) && (p[-1] == 0x41) == (reg > 7) &&
	       sb_retext_word(p + 1) < MOST;
}

/* The last number before that the register was given. */
static bool holds_watched(const struct sb_retext *w, uint64_t address, unsigned reg)
{
	for (unsigned i = 5; i <= FAR_BACK && address - i > w->text->p_vaddr; i++) {
		const uint8_t *p = sb_retext_code(w, address - i);

		if (is_number(p, reg))
			return sb_retext_watched(sb_retext_word(p + 1));
	}
	return false;
}

bool sb_retext_suspect(const struct sb_retext *w, uint64_t address)
{
	for (unsigned i = 2; i <= BACK && address - i > w->text->p_vaddr; i++) {
		const uint8_t *p = sb_retext_code(w, address - i);

		if (i >= 5 && is_number(p, 0))
			return sb_retext_watched(sb_retext_word(p + 1));
		/* mov reg, %eax: kept from before. */
		if (p[0] == 0x89 && (p[1] & 0xc7) == 0xc0 && (p[-1] & 0xf3) != 0x41)
			return holds_watched(w, address - i,
					     ((p[1] >> 3) & 7u) | (p[-1] == 0x44 ? 8u : 0u));
	}
	return false;
}

/* push $number ... call: nothing else goes on elsewhere in between. *ret_call: what it calls. */
static bool pushes(const struct sb_retext *w, uint64_t push, uint64_t end, uint32_t *ret_number,
		   uint64_t *ret_call)
{
	const uint8_t *code = sb_retext_code(w, push);
	size_t at = code[0] == 0x68 ? 5 : 2;
	struct sb_x86 insn;

	if (code[0] != 0x68 && code[0] != 0x6a)
		return false;
	*ret_number = code[0] == 0x68 ? sb_retext_word(code + 1) : code[1];
	for (; push + at < end; at += insn.len) {
		if (!sb_x86_decode(code + at, (size_t)(end - push - at), &insn))
			return false;
		if (code[at] == 0xe8) {
			*ret_call = push + at + (uint64_t)insn.target;
			return push + at + insn.len == end;
		}
		if (insn.moves)
			return false;
	}
	return false;
}

/* Of the last push before what ends at `end`. */
static bool pushed_before(const struct sb_retext *w, uint64_t end, uint32_t *ret_number)
{
	uint64_t call;

	for (unsigned i = 7; i <= BACK && end - i > w->text->p_vaddr; i++)
		if (pushes(w, end - i, end, ret_number, &call))
			return true;
	return false;
}

/* What open64 calls. */
static uint64_t find_cancellable(const struct sb_retext *w)
{
	struct sb_range f;
	uint32_t number;
	uint64_t call;

	if (!sb_retext_function(w, "open64", &f))
		return NO_CALL;
	for (uint64_t a = f.from; a + 10 <= f.to; a++)
		for (uint64_t end = a + 10; end <= a + BACK && end <= f.to; end++)
			if (*sb_retext_code(w, a) == 0x68 && pushes(w, a, end, &number, &call) &&
			    number == NR_OPENAT)
				return call;
	return NO_CALL;
}

bool sb_retext_cancellable(const struct sb_retext *w, uint64_t *ret_address)
{
	const uint8_t *code = w->bytes + w->text->p_offset, *end = code + w->text->p_filesz;
	uint64_t called = find_cancellable(w);
	uint32_t number;

	for (const uint8_t *p = code; called && (p = memchr(p, 0xe8, (size_t)(end - p))); p++) {
		uint64_t after = w->text->p_vaddr + (uint64_t)(p - code) + 5;

		if (end - p < 5 || after + (uint64_t)(int32_t)sb_retext_word(p + 1) != called ||
		    sb_retext_is_done(w, after - 1))
			continue;
		*ret_address = after - 5;
		if (!pushed_before(w, after, &number) || sb_retext_watched(number))
			return false;
	}
	return true;
}
