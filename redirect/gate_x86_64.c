/*
 * Where code enters: the kernel, and the rewritten code of libraries. The latter has the number in
 * rax and arguments as for the kernel, has left the red zone alone, and expects what the kernel
 * keeps to be kept: all but rax, rcx and r11.
 */
#include "redirect/gate.h"

#if defined(__x86_64__)

/* clang-format off */
/* One gate a step. `ask` gates answer in ZF: 0, the result is in rax; 1, make the call yourself. */
__asm__(".section .text.gate, \"ax\"\n"
	".globl _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	jmp sb_gate_start\n"
	GATE
	"	xor %r11d, %r11d\n"
	"	jmp sb_gate_call\n"
	GATE
	"	mov $1, %r11d\n"
	"	jmp sb_gate_call\n"
	GATE
	"	mov $2, %r11d\n"
	"	jmp sb_gate_ask\n"
	GATE
	"	mov $3, %r11d\n"
	"	jmp sb_gate_ask\n"

	/* The stack is the kernel's: what is mapped goes on with it as if nothing had been. */
	"sb_gate_start:\n"
	"	mov %rsp, %rbx\n"
	"	and $-16, %rsp\n"
	"	call sb_start\n"
	"	mov %rbx, %rsp\n"
	"	xor %edx, %edx\n" /* no function for atexit */
	"	xor %ebx, %ebx\n"
	"	jmp *%rax\n"

	/* Most calls name no path: they are the kernel's at once. */
	"sb_gate_call:\n"
	"	cmp $" NUMBERS ", %rax\n"
	"	jae 1f\n"
	"	lea sb_gate_numbers(%rip), %rcx\n"
	"	cmpb $0, (%rcx,%rax)\n"
	"	jne sb_gate_redirect\n"
	"1:	syscall\n"
	"	ret\n"

	"sb_gate_ask:\n"
	"	cmp $" NUMBERS ", %rax\n"
	"	jae 1f\n"
	"	lea sb_gate_numbers(%rip), %rcx\n"
	"	cmpb $0, (%rcx,%rax)\n"
	"	je 1f\n"
	"	call sb_gate_redirect\n"
	"	test %r11d, %r11d\n"
	"	ret\n"
	"1:	xor %ecx, %ecx\n" /* ZF */
	"	ret\n"

	/*
	 * r11: how to go about it; then 0 where the call is still to be made, with rax its number.
	 * The call is kept twice: as it is restored, and, below the room, as it may be changed.
	 */
	"sb_gate_redirect:\n"
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	push %r9\n"
	"	push %r8\n"
	"	push %r10\n"
	"	push %rdx\n"
	"	push %rsi\n"
	"	push %rdi\n"
	"	push %rax\n"
	"	sub $" ROOM ", %rsp\n"
	"	and $-16, %rsp\n"
	"	push %rsp\n"
	"	push %r9\n"
	"	push %r8\n"
	"	push %r10\n"
	"	push %rdx\n"
	"	push %rsi\n"
	"	push %rdi\n"
	"	push %rax\n"
	"	mov %rsp, %rdi\n"
	"	mov %r11, %rsi\n"
	"	cld\n"
	"	call sb_redirect\n"
	"	movabs $" AGAIN ", %rcx\n"
	"	cmp %rcx, %rax\n"
	"	je 2f\n"
	"	movabs $" PASS ", %rcx\n"
	"	mov $1, %r11d\n"
	"	cmp %rcx, %rax\n"
	"	jne 1f\n"
	"	mov -56(%rbp), %rax\n" /* the number */
	"	xor %r11d, %r11d\n"
	"1:	lea -48(%rbp), %rsp\n"
	"	pop %rdi\n"
	"	pop %rsi\n"
	"	pop %rdx\n"
	"	pop %r10\n"
	"	pop %r8\n"
	"	pop %r9\n"
	"	pop %rbp\n"
	"	ret\n"
	"2:	mov (%rsp), %rax\n"
	"	mov 8(%rsp), %rdi\n"
	"	mov 16(%rsp), %rsi\n"
	"	mov 24(%rsp), %rdx\n"
	"	mov 32(%rsp), %r10\n"
	"	mov 40(%rsp), %r8\n"
	"	mov 48(%rsp), %r9\n"
	"	syscall\n"
	"	mov $1, %r11d\n"
	"	jmp 1b\n"
	".previous\n");
/* clang-format on */

#endif
