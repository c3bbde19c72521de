/*
 * Where code enters: the kernel, and the rewritten code of libraries. The latter has the number in
 * x8 and arguments as for the kernel, x16 and x30 are its own to keep, and it expects what the
 * kernel keeps to be kept: all registers and the flags, but x0.
 */
#include "redirect/gate.h"

#if defined(__aarch64__)

_Static_assert(SB_GATE_ROOM % 16 == 0, "the stack pointer's alignment");
_Static_assert((SB_GATE_NUMBERS & (SB_GATE_NUMBERS - 1)) == 0, "compared by its bits");

/* clang-format off */
/* One gate a step. All answer in x16: 0, make the call yourself; else the result is in x0. */
__asm__(".section .text.gate, \"ax\"\n"
	".globl _start\n"
	"_start:\n"
	"	mov x29, xzr\n"
	"	mov x30, xzr\n"
	"	mov x0, sp\n"
	"	b sb_gate_start\n"
	GATE
	"	mov x16, #0\n"
	"	b sb_gate_call\n"
	GATE
	"	mov x16, #1\n"
	"	b sb_gate_call\n"
	GATE
	"	mov x16, #2\n"
	"	b sb_gate_ask\n"
	GATE
	"	mov x16, #3\n"
	"	b sb_gate_ask\n"

	/* The stack is the kernel's: what is mapped goes on with it as if nothing had been. */
	"sb_gate_start:\n"
	"	bl sb_start\n"
	"	mov x16, x0\n"
	"	mov x0, xzr\n" /* no function for atexit */
	"	mov x30, xzr\n"
	"	br x16\n"

	/* Most calls name no path: on to 1 with them, at once. No flag is touched. */
	".macro sb_redirect_known\n"
	"	stp x17, x30, [sp, #-16]!\n"
	"	and w17, w8, #-" NUMBERS "\n"
	"	cbnz w17, 1f\n"
	"	adrp x17, sb_gate_numbers\n"
	"	add x17, x17, :lo12:sb_gate_numbers\n"
	"	ldrb w17, [x17, w8, uxtw]\n"
	"	cbz w17, 1f\n"
	"	bl sb_gate_redirect\n"
	".endm\n"

	"sb_gate_call:\n"
	"	sb_redirect_known\n"
	"	cbnz x16, 2f\n"
	"1:	svc #0\n"
	"2:	ldp x17, x30, [sp], #16\n"
	"	ret\n"

	"sb_gate_ask:\n"
	"	sb_redirect_known\n"
	"	b 2f\n"
	"1:	mov x16, #0\n"
	"2:	ldp x17, x30, [sp], #16\n"
	"	ret\n"

	/*
	 * x16: how to go about it. The call is kept twice: as it is restored, and, below the room,
	 * as it may be changed. x17 is kept by whoever came here.
	 */
	"sb_gate_redirect:\n"
	"	stp x29, x30, [sp, #-160]!\n"
	"	mov x29, sp\n"
	"	mrs x17, nzcv\n"
	"	stp x0, x17, [x29, #16]\n"
	"	stp x1, x2, [x29, #32]\n"
	"	stp x3, x4, [x29, #48]\n"
	"	stp x5, x6, [x29, #64]\n"
	"	stp x7, x8, [x29, #80]\n"
	"	stp x9, x10, [x29, #96]\n"
	"	stp x11, x12, [x29, #112]\n"
	"	stp x13, x14, [x29, #128]\n"
	"	stp x15, x18, [x29, #144]\n"
	"	sub sp, sp, #" ROOM "\n"
	"	mov x17, sp\n"
	"	mov w9, w8\n"
	"	stp x5, x17, [sp, #-16]!\n"
	"	stp x3, x4, [sp, #-16]!\n"
	"	stp x1, x2, [sp, #-16]!\n"
	"	stp x9, x0, [sp, #-16]!\n"
	"	mov x0, sp\n"
	"	mov x1, x16\n"
	"	bl sb_redirect\n"
	"	ldr x17, =" AGAIN "\n"
	"	cmp x0, x17\n"
	"	b.eq 2f\n"
	"	ldr x17, =" PASS "\n"
	"	mov x16, #1\n"
	"	cmp x0, x17\n"
	"	b.ne 1f\n"
	"	ldr x0, [x29, #16]\n"
	"	mov x16, #0\n"
	"1:	mov sp, x29\n"
	"	ldr x17, [x29, #24]\n"
	"	msr nzcv, x17\n"
	"	ldp x1, x2, [x29, #32]\n"
	"	ldp x3, x4, [x29, #48]\n"
	"	ldp x5, x6, [x29, #64]\n"
	"	ldp x7, x8, [x29, #80]\n"
	"	ldp x9, x10, [x29, #96]\n"
	"	ldp x11, x12, [x29, #112]\n"
	"	ldp x13, x14, [x29, #128]\n"
	"	ldp x15, x18, [x29, #144]\n"
	"	ldp x29, x30, [sp], #160\n"
	"	ret\n"
	"2:	ldp x8, x0, [sp]\n"
	"	ldp x1, x2, [sp, #16]\n"
	"	ldp x3, x4, [sp, #32]\n"
	"	ldr x5, [sp, #48]\n"
	"	svc #0\n"
	"	mov x16, #1\n"
	"	b 1b\n"
	".ltorg\n"
	".previous\n");
/* clang-format on */

#endif
