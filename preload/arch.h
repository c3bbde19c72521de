/*
 * All that depends on the machine: the system call instruction, and the jump of a hook that must
 * not leave a frame of its own behind.
 */
#pragma once

#include <stdint.h>

#if defined(__x86_64__)

static inline long sb_arch_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

/* The body of sb_bypass(); its system call's successor lies SB_PASS_SITE behind its beginning. */
#define SB_ARCH_BYPASS(pass) SB_ARCH_BYPASS_(pass)
#define SB_ARCH_BYPASS_(pass)             \
	"	mov %r9, %rax\n"                \
	"	mov %rcx, %r10\n"               \
	"	movabs $" #pass ", %r9\n" \
	"	syscall\n"                      \
	"	xor %r9d, %r9d\n"               \
	"	ret\n"

static inline void sb_arch_relax(void)
{
	__builtin_ia32_pause();
}

static inline uint64_t sb_arch_cycles(void)
{
	return __builtin_ia32_rdtsc();
}

/* What valgrind takes for a request of the program's (valgrind.h); rotations by nothing else. */
static inline void sb_arch_valgrind(const uint64_t request[6])
{
	uint64_t answer = 0;

	__asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi; rolq $61, %%rdi; rolq $51, %%rdi\n"
			 "xchgq %%rbx, %%rbx"
			 : "+d"(answer)
			 : "a"(request)
			 : "cc", "memory");
}

/* e_machine of what this kernel runs natively with our modules. */
#define SB_ARCH_MACHINE 62 /* EM_X86_64 */
#define SB_ARCH_NAME	"x86_64"
/* No program has memory from here on: the last page is the kernel's. */
#define SB_ARCH_MEMORY_END 0x7ffffffff000ul

#elif defined(__aarch64__)

static inline long sb_arch_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

#define SB_ARCH_BYPASS(pass) SB_ARCH_BYPASS_(pass)
#define SB_ARCH_BYPASS_(pass)                                    \
	"	mov x8, x5\n"                                          \
	"	movz x5, #(" #pass " & 0xffff)\n"                \
	"	movk x5, #(" #pass " >> 16 & 0xffff), lsl #16\n" \
	"	movk x5, #(" #pass " >> 32 & 0xffff), lsl #32\n" \
	"	movk x5, #(" #pass " >> 48 & 0xffff), lsl #48\n" \
	"	svc 0\n"                                               \
	"	mov x5, xzr\n"                                         \
	"	ret\n"

static inline void sb_arch_relax(void)
{
	__asm__ volatile("yield" ::: "memory");
}

static inline uint64_t sb_arch_cycles(void)
{
	uint64_t ticks;

	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
}

static inline void sb_arch_valgrind(const uint64_t request[6])
{
	register uint64_t x3 __asm__("x3") = 0;
	register const uint64_t *x4 __asm__("x4") = request;

	__asm__ volatile(
		"ror x12, x12, #3; ror x12, x12, #13; ror x12, x12, #51; ror x12, x12, #61\n"
		"orr x10, x10, x10"
		: "+r"(x3)
		: "r"(x4)
		: "memory");
}

#define SB_ARCH_MACHINE	   183 /* EM_AARCH64 */
#define SB_ARCH_NAME	   "aarch64"
/* The upper byte may be a tag: only the kernel knows. */
#define SB_ARCH_MEMORY_END UINTPTR_MAX

#else
#error "no system call for this machine: see preload/arch.h"
#endif
