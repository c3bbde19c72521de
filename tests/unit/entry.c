/* Where a jump may be written over a function of libc's, and where it may not. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "preload/entry.h"

#define CODE(...)           \
	{                   \
		__VA_ARGS__ \
	}
#define TAIL   0xc3, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90
#define ENDBR  0xf3, 0x0f, 0x1e, 0xfa
#define ACCESS 0xb8, 0x15, 0, 0, 0, 0x0f, 0x05 /* mov $21, %eax; syscall */

struct entry_case {
	const char *what;
	uint8_t code[80];
	uint32_t nr;
	int at; /* -1: left alone */
};

static const struct entry_case cases[] = {
	{"a number and the call", CODE(ACCESS, TAIL), 21, 0},
	{"behind endbr64", CODE(ENDBR, ACCESS, TAIL), 21, 4},
	{"open64 of glibc 2.31",
	 CODE(0x41, 0x54, 0x41, 0x89, 0xf2, 0x41, 0x89, 0xf4, 0x55, 0x48, 0x89, 0xfd, 0x48, 0x83,
	      0xec, 0x68, 0xb8, 1, 1, 0, 0, 0x0f, 0x05, TAIL),
	 257, 0},
	{"openat64 of glibc 2.41: the number is pushed for __syscall_cancel",
	 CODE(0x48, 0x83, 0xec, 0x58, 0x48, 0x89, 0x4c, 0x24, 0x38, 0x64, 0x48, 0x8b, 0x04, 0x25,
	      0x28, 0, 0, 0, 0x68, 1, 1, 0, 0, 0xe8, 0, 0, 0, 0, TAIL),
	 257, 0},
	{"__xstat64",
	 CODE(0x89, 0xf8, 0x48, 0x89, 0xf7, 0x48, 0x89, 0xd6, 0xb8, 4, 0, 0, 0, 0x0f, 0x05, TAIL),
	 4, 0},
	{"getdents64 of glibc 2.31",
	 CODE(0x48, 0x81, 0xfa, 0xff, 0xff, 0xff, 0x7f, 0xb8, 0xd9, 0, 0, 0, 0x0f, 0x05, TAIL), 217,
	 0},
	{"another system call", CODE(ACCESS, TAIL), 22, -1},
	{"no system call", CODE(0x41, 0x54, 0x55, 0x53, 0x48, 0x89, 0xfd, TAIL), 21, -1},
	{"somebody has been here: jmp", CODE(0xe9, 0, 1, 0, 0, ACCESS, TAIL), 21, -1},
	{"somebody has been here: jmp *(%rip)", CODE(0xff, 0x25, 0, 0, 0, 0, ACCESS, TAIL), 21, -1},
	{"a breakpoint", CODE(0xcc, 0x15, 0, 0, 0, 0x0f, 0x05, TAIL), 21, -1},
	{"it reads what lies near it", CODE(0x48, 0x8b, 0x05, 0, 0, 0, 0, ACCESS, TAIL), 21, -1},
	{"it is over before a jump fits", CODE(0x31, 0xc0, 0xc3, ACCESS, TAIL), 21, -1},
	{"a jump back into what would be overwritten",
	 CODE(0x89, 0xf8, 0x89, 0xfe, 0x89, 0xd1, ACCESS, 0x7c, 0xf3, TAIL), 21, -1},
	{"a jump back to the beginning is none into it",
	 CODE(0x89, 0xf8, 0x89, 0xfe, 0x89, 0xd1, ACCESS, 0x7c, 0xf1, TAIL), 21, 0},
	{"a long jump into it",
	 CODE(0x89, 0xf8, 0x89, 0xfe, 0x89, 0xd1, ACCESS, 0x0f, 0x8c, 0xef, 0xff, 0xff, 0xff, TAIL),
	 21, -1},
};

Test(entry, is_what_is_expected)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct entry_case *c = &cases[i];
		size_t at = 99;
		bool found = sb_entry_find(c->code, sizeof(c->code), c->nr, &at);

		cr_expect(found == (c->at >= 0), "%s", c->what);
		cr_expect(at == (found ? (size_t)c->at : 99), "%s: at %zu", c->what, at);
	}
}

Test(entry, has_a_length)
{
	const uint8_t code[600] = CODE(ACCESS, TAIL);
	size_t at;

	cr_expect(sb_entry_find(code, 18, 21, &at));
	cr_expect(not(sb_entry_find(code, 8, 21, &at)));
	cr_expect(not(sb_entry_find(code, 0, 21, &at)));
	cr_expect(not(sb_entry_find(code, sizeof(code), 21, &at)));
}

Test(entry, jumps_as_far_as_a_jump_goes)
{
	static const uint8_t forth[] = {0xe9, 0xfb, 0x0f, 0, 0},
			     back[] = {0xe9, 0xfb, 0xef, 0xff, 0xff};
	const uintptr_t here = 0x7f0000000000;
	uint8_t jump[SB_ENTRY_JUMP];

	cr_expect(sb_entry_jump(here, here + 0x1000, jump));
	cr_expect(memcmp(jump, forth, sizeof(jump)) == 0);
	cr_expect(sb_entry_jump(here, here - 0x1000, jump));
	cr_expect(memcmp(jump, back, sizeof(jump)) == 0);
	cr_expect(sb_entry_jump(here, here + 0x7fffffff, jump));
	cr_expect(not(sb_entry_jump(here, here + 0x80000005, jump)));
	cr_expect(not(sb_entry_jump(here, here - 0x80000001, jump)));
}
