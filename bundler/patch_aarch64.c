/*
 * An instruction has four bytes here, the number of a system call is in x8, and the kernel keeps
 * all registers and flags but x0 (Arm ARM, chapter C4; arch_syscall(7)). So a jump fits in the
 * place of `svc` itself, whatever stands around it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bundler/patch_code.h"
#include "common/cleanup.h"
#include "redirect/index.h"

#define STEP	  4
#define NUMBER_IN 8  /* x8 */
#define MOST_BACK 24 /* instructions that are looked at for the number */
#define SVC	  0xd4000001u
#define B	  0x14000000u
#define FAR	  ((int64_t)1 << 27) /* b reaches as far, and not there */
#define MOST_OUT  256		     /* bytes that one place adds, at most */

/* One executable section, being swept. */
struct sweep {
	struct sb_patch_code *in;
	uint8_t *targets; /* by instruction: somebody jumps there */
	int rc;
};

static uint32_t insn_at(const struct sweep *s, size_t at)
{
	uint32_t insn;

	memcpy(&insn, s->in->code + at, sizeof insn);
	return insn;
}

/* Jumps, calls, traps, system calls; and what is_system(). */
static bool moves(uint32_t insn)
{
	return (insn & 0x1c000000) == 0x14000000;
}

/* Hints, of which one says where may be jumped to; barriers; moves to and from registers of the
 * system. They go on with what follows. */
static bool is_system(uint32_t insn)
{
	return (insn & 0xff000000) == 0xd5000000;
}

/* Does something else where it stands elsewhere: adr, adrp, and loads from a distance. */
static bool is_placed(uint32_t insn)
{
	return (insn & 0x1f000000) == 0x10000000 || (insn & 0x3b000000) == 0x18000000;
}

static int64_t signed_part(uint32_t insn, unsigned low, unsigned bits)
{
	uint32_t top = (uint32_t)1 << (bits - 1);
	uint32_t n = insn >> low & (2 * top - 1);

	return (int64_t)(n ^ top) - top;
}

/* In bytes from the jump; false: it is none, or one through a register. */
static bool jumps_to(uint32_t insn, int64_t *ret)
{
	if ((insn & 0x7c000000) == 0x14000000) /* b, bl */
		*ret = signed_part(insn, 0, 26) * STEP;
	else if ((insn & 0xfe000000) == 0x54000000 || /* b.cond */
		 (insn & 0x7e000000) == 0x34000000)   /* cbz, cbnz */
		*ret = signed_part(insn, 5, 19) * STEP;
	else if ((insn & 0x7e000000) == 0x36000000) /* tbz, tbnz */
		*ret = signed_part(insn, 5, 14) * STEP;
	else
		return false;
	return true;
}

/* May put something into x8; more often true than need be. */
static bool may_set_number(uint32_t insn)
{
	bool memory = (insn & 0x0a000000) == 0x08000000;

	return (insn & 31) == NUMBER_IN ||
	       (memory && ((insn >> 5 & 31) == NUMBER_IN || (insn >> 10 & 31) == NUMBER_IN));
}

/*
 * The number that is in x8 at `at`, by the straight line before; -1: it comes from elsewhere. Who
 * jumps to the call itself makes the same again.
 */
static long number_at(const struct sweep *s, size_t at)
{
	for (size_t i = 0; i < MOST_BACK && at; i++) {
		if (i && s->targets[at / STEP])
			break;
		at -= STEP;
		uint32_t insn = insn_at(s, at);

		if ((insn & 0x7fe0001f) == (0x52800000 | NUMBER_IN)) /* mov $n, x8 or w8 */
			return insn >> 5 & 0xffff;
		if ((moves(insn) && !is_system(insn)) || may_set_number(insn))
			break;
	}
	return -1;
}

static uint64_t out_end(const struct sweep *s)
{
	return s->in->out_address + s->in->out->len;
}

static void emit(struct sweep *s, const void *bytes, size_t len)
{
	if (s->rc == 0)
		s->rc = sb_buf_add(s->in->out, bytes, len);
}

static void emit_insn(struct sweep *s, uint32_t insn)
{
	emit(s, &insn, sizeof insn);
}

static uint32_t jump(uint64_t from, uint64_t to)
{
	return B | ((uint32_t)((int64_t)(to - from) / STEP) & 0x03ffffff);
}

static void emit_jump(struct sweep *s, uint64_t to)
{
	emit_insn(s, jump(out_end(s), to));
}

static bool in_reach(const struct sweep *s, size_t at)
{
	int64_t far = (int64_t)(out_end(s) - (s->in->address + at));

	return far > -FAR + MOST_OUT && far < FAR - MOST_OUT;
}

/* The jump to what is about to be emitted. */
static void jump_there(struct sweep *s, size_t at)
{
	uint32_t insn = jump(s->in->address + at, out_end(s));

	memcpy(s->in->to + at, &insn, sizeof insn);
	s->in->patch->places++;
}

#define SAVE	0xa9bf7bf0u /* stp x16, x30, [sp, #-16]! */
#define RESTORE 0xa8c17bf0u /* ldp x16, x30, [sp], #16 */

/* Nobody has anything below the stack here. x16 is the gate's afterwards. */
static void emit_gate(struct sweep *s, enum sb_gate gate)
{
	uint64_t address = s->in->patch->gates + (uint64_t)gate * SB_GATE_STEP;

	emit_insn(s, SAVE);
	emit_insn(s, 0xd2800010u | (uint32_t)(address & 0xffff) << 5); /* movz x16, #... */
	for (uint32_t part = 1; part < 3; part++)		       /* movk, lsl #16, #32 */
		emit_insn(s, 0xf2800010u | part << 21 |
				     (uint32_t)(address >> 16 * part & 0xffff) << 5);
	emit_insn(s, 0xd63f0200u); /* blr x16 */
}

static bool patch_call(struct sweep *s, size_t at)
{
	if (!in_reach(s, at))
		return false;
	jump_there(s, at);
	emit_gate(s, s->in->patch->linker ? SB_GATE_LINKER : SB_GATE_LIBC);
	emit_insn(s, RESTORE);
	emit_jump(s, s->in->address + at + STEP);
	return true;
}

/*
 * What stands before goes along, the gate is asked, and the call stays where it is. It may be one
 * that returns twice, or that a cancellation looks for.
 */
static bool patch_asking(struct sweep *s, size_t at)
{
	uint32_t before = at ? insn_at(s, at - STEP) : SVC;

	if (!in_reach(s, at) || s->targets[at / STEP] || moves(before) || is_placed(before))
		return false;
	jump_there(s, at - STEP);
	emit_insn(s, before);
	emit_gate(s, s->in->patch->linker ? SB_GATE_ASK_LINKER : SB_GATE_ASK_LIBC);
	emit_insn(s, 0xb5000070u); /* cbnz x16, 1f */
	emit_insn(s, RESTORE);
	emit_jump(s, s->in->address + at);
	emit_insn(s, RESTORE); /* 1: */
	emit_jump(s, s->in->address + at + STEP);
	return true;
}

static void patch_place(struct sweep *s, size_t at)
{
	long nr = number_at(s, at);

	switch (sb_patch_how(SB_ABI_AARCH64, nr)) {
	case SB_PATCH_ASK:
		/* What only the caller knows is mostly futex and its like: no loss. */
		if (!patch_asking(s, at) && nr >= 0)
			s->in->patch->left++;
		return;
	case SB_PATCH_CALL:
		s->in->patch->left += !patch_call(s, at);
		return;
	default:
		return;
	}
}

int sb_patch_aarch64(struct sb_patch_code *in)
{
	size_t size = in->size - in->size % STEP;
	auto_free uint8_t *targets = calloc(size / STEP + 1, 1);
	struct sweep s = {.in = in, .targets = targets};
	int64_t far;

	if (!targets)
		return -ENOMEM;
	for (size_t at = 0; at < size; at += STEP)
		if (jumps_to(insn_at(&s, at), &far) && (uint64_t)((int64_t)at + far) < size)
			targets[((size_t)((int64_t)at + far)) / STEP] = 1;
	for (size_t at = 0; at < size && s.rc == 0; at += STEP)
		if (insn_at(&s, at) == SVC)
			patch_place(&s, at);
	return s.rc;
}
