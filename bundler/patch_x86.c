#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/patch_code.h"
#include "common/x86.h"
#include "common/cleanup.h"
#include "redirect/index.h"

#define JUMP	  5  /* e9 and a distance */
#define MOST_BACK 12 /* instructions that are remembered */

enum mark { TARGET = 1 };

/* One executable section, being swept. */
struct sweep {
	struct sb_patch_code *in;
	const uint8_t *code;
	uint8_t *marks; /* one for each byte */
	size_t size;
	/* The straight line so far: where its last instructions begin. */
	size_t back[MOST_BACK], count;
	int rc;
};

static void emit(struct sweep *s, const void *bytes, size_t len)
{
	if (s->rc == 0)
		s->rc = sb_buf_add(s->in->out, bytes, len);
}

static void emit_distance(struct sweep *s, const char *op, size_t len, uint64_t to)
{
	int32_t far;

	emit(s, op, len);
	far = (int32_t)(to - (s->in->out_address + s->in->out->len + sizeof far));
	emit(s, &far, sizeof far);
}

/* Below the red zone, through a register that the kernel does not keep either. */
static void emit_gate(struct sweep *s, enum sb_gate gate)
{
	uint64_t address = s->in->patch->gates + (uint64_t)gate * SB_GATE_STEP;

	emit(s, "\x48\x8d\x64\x24\x80", 5); /* lea -128(%rsp), %rsp */
	emit(s, "\x49\xbb", 2);		    /* movabs $address, %r11 */
	emit(s, &address, sizeof address);
	emit(s, "\x41\xff\xd3", 3);			/* call *%r11 */
	emit(s, "\x48\x8d\xa4\x24\x80\x00\x00\x00", 8); /* lea 128(%rsp), %rsp */
}

/* The jump to what is about to be emitted, in the place of `len` bytes. */
static void jump_there(struct sweep *s, size_t at, size_t len)
{
	int32_t far =
		(int32_t)(s->in->out_address + s->in->out->len - (s->in->address + at + JUMP));

	s->in->to[at] = 0xe9;
	memcpy(s->in->to + at + 1, &far, sizeof far);
	memset(s->in->to + at + JUMP, 0x90, len - JUMP);
	s->in->patch->places++;
}

/* Nobody jumps into the middle of what is to be replaced. */
static bool is_straight(const struct sweep *s, size_t from, size_t to)
{
	for (size_t i = from + 1; i < to; i++)
		if (s->marks[i] & TARGET)
			return false;
	return true;
}

/* How much from `at` on can be moved elsewhere, at least `want` bytes; 0: not so much. */
static size_t movable(const struct sweep *s, size_t at, size_t want, size_t *ret_copy)
{
	size_t end = at;
	struct sb_x86 insn;

	*ret_copy = 0;
	while (end - at < want) {
		if (!sb_x86_decode(s->code + end, s->size - end, &insn))
			return 0;
		/* After a return nothing goes on: what fills up to the next function may go. */
		if (insn.is_return) {
			end += insn.len;
			*ret_copy = end - at;
			while (end - at < want &&
			       sb_x86_decode(s->code + end, s->size - end, &insn) && insn.is_nop)
				end += insn.len;
			return end - at >= want ? end - at : 0;
		}
		if (insn.moves || insn.placed)
			return 0;
		end += insn.len;
	}
	*ret_copy = end - at;
	return end - at;
}

/* mov $number, %eax right before. */
static bool patch_before(struct sweep *s, size_t at)
{
	size_t mov = at - JUMP;

	if (!s->count || s->back[s->count - 1] != mov || s->code[mov] != 0xb8 ||
	    !is_straight(s, mov, at + 2))
		return false;
	jump_there(s, mov, JUMP + 2);
	emit(s, s->code + mov, JUMP);
	emit_gate(s, s->in->patch->linker ? SB_GATE_LINKER : SB_GATE_LIBC);
	emit_distance(s, "\xe9", 1, s->in->address + at + 2);
	return true;
}

/* What comes after goes along. */
static bool patch_after(struct sweep *s, size_t at)
{
	size_t copy, len = movable(s, at + 2, JUMP - 2, &copy);

	if (!len || !is_straight(s, at, at + 2 + len))
		return false;
	jump_there(s, at, 2 + len);
	emit_gate(s, s->in->patch->linker ? SB_GATE_LINKER : SB_GATE_LIBC);
	emit(s, s->code + at + 2, copy);
	emit_distance(s, "\xe9", 1, s->in->address + at + 2 + len);
	return true;
}

/*
 * A number that only the caller knows: what comes before goes along, the gate is asked, and the
 * instruction stays where it is. It may be one that returns twice, or that a cancellation looks
 * for.
 */
static bool patch_asking(struct sweep *s, size_t at)
{
	size_t from = at, len;
	struct sb_x86 insn;

	for (size_t i = s->count; i && at - from < JUMP; i--) {
		from = s->back[i - 1];
		if (!sb_x86_decode(s->code + from, s->size - from, &insn) || insn.placed)
			return false;
	}
	len = at - from;
	if (len < JUMP || !is_straight(s, from, at + 1))
		return false;
	jump_there(s, from, len);
	emit(s, s->code + from, len);
	emit_gate(s, s->in->patch->linker ? SB_GATE_ASK_LINKER : SB_GATE_ASK_LIBC);
	emit_distance(s, "\x0f\x84", 2, s->in->address + at);
	emit_distance(s, "\xe9", 1, s->in->address + at + 2);
	return true;
}

/* The number in eax; -1: it comes from elsewhere. */
static long number_at(const struct sweep *s)
{
	int32_t nr;

	for (size_t i = s->count; i; i--) {
		const uint8_t *p = s->code + s->back[i - 1];

		if (i < s->count && s->marks[s->back[i]] & TARGET)
			return -1;
		if (p[0] == 0xb8) {
			memcpy(&nr, p + 1, sizeof nr);
			return nr;
		}
		if (p[0] == 0x48 && p[1] == 0xc7 && p[2] == 0xc0) {
			memcpy(&nr, p + 3, sizeof nr);
			return nr;
		}
		/* Some other way into eax. */
		if ((p[0] == 0x89 && (p[1] & 0xc7) == 0xc0) || (p[0] == 0x8b && !(p[1] & 0x38)) ||
		    (p[0] == 0x31 && p[1] == 0xc0))
			return -1;
	}
	return -1;
}

static void patch_place(struct sweep *s, size_t at)
{
	long nr = number_at(s);

	switch (sb_patch_how(SB_ABI_X86_64, nr)) {
	case SB_PATCH_ASK:
		/* What only the caller knows is mostly futex and its like: no loss. */
		if (!patch_asking(s, at) && nr >= 0)
			s->in->patch->left++;
		return;
	case SB_PATCH_CALL:
		if (!patch_before(s, at) && !patch_after(s, at) && !patch_asking(s, at))
			s->in->patch->left++;
		return;
	default:
		return;
	}
}

/* Two passes: where jumps go to, then what is to be replaced. */
static void sweep(struct sweep *s, bool replace)
{
	struct sb_x86 insn;

	s->count = 0;
	for (size_t at = 0; at < s->size && s->rc == 0; at += insn.len) {
		if (!sb_x86_decode(s->code + at, s->size - at, &insn)) {
			insn.len = 1; /* data, or an instruction that we do not know */
			s->count = 0;
			continue;
		}
		int64_t target = (int64_t)at + insn.target;
		if (!replace && insn.has_target && target >= 0 && (uint64_t)target < s->size)
			s->marks[target] |= TARGET;
		if (replace && insn.is_syscall)
			patch_place(s, at);
		if (insn.moves) {
			s->count = 0;
			continue;
		}
		if (s->count == MOST_BACK)
			memmove(s->back, s->back + 1, --s->count * sizeof *s->back);
		s->back[s->count++] = at;
	}
}

int sb_patch_x86_64(struct sb_patch_code *in)
{
	auto_free uint8_t *marks = calloc(in->size + 1, 1);
	struct sweep s = {.in = in, .code = in->code, .marks = marks, .size = in->size};

	if (!marks)
		return -ENOMEM;
	sweep(&s, false);
	sweep(&s, true);
	return s.rc;
}
