/* What may be moved from before a system call, and which system call it is, by bytes of libc's. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <sys/syscall.h>

#include "tracer/retext_move.h"
#include "tracer/retext_number.h"

#ifdef __x86_64__

#define TEXT	   0x1000u
#define SIZE	   512u
#define CODE(...)  (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define NUMBER(nr) 0xb8, (nr)&0xff, (nr) >> 8, 0, 0
#define SYSCALL	   0x0f, 0x05
#define MOV_EDI	   0x89, 0xcf	    /* mov %ecx, %edi */
#define MOV_RSI	   0x48, 0x89, 0xd6 /* mov %rdx, %rsi */
#define AT_CWD	   0xbf, 0x9c, 0xff, 0xff, 0xff
#define RETURN	   0xc3

/* A libc with one function, `f`, and room behind it. */
struct made {
	uint8_t code[SIZE], copy[SIZE];
	Elf64_Phdr text;
	Elf64_Sym symbol;
	struct sb_retext w;
};

static struct made *make(const uint8_t *code, size_t size)
{
	static struct made m;

	memset(&m, 0, sizeof m);
	memset(m.code, 0x90, SIZE);
	memcpy(m.code, code, size);
	m.text = (Elf64_Phdr){.p_vaddr = TEXT, .p_filesz = SIZE};
	m.symbol = (Elf64_Sym){.st_name = 1,
			       .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
			       .st_value = TEXT,
			       .st_size = SIZE};
	m.w = (struct sb_retext){.bytes = m.code,
				 .size = SIZE,
				 .text = &m.text,
				 .symbols = &m.symbol,
				 .symbol_count = 1,
				 .names = "\0open64",
				 .names_size = 8,
				 .to = m.copy};
	return &m;
}

static uint64_t find_call(const struct made *m)
{
	const uint8_t *p = memmem(m->code, SIZE, "\x0f\x05", 2);

	cr_assert(p != NULL);
	return TEXT + (uint64_t)(p - m->code);
}

static const struct gap_case {
	const char *what;
	const uint8_t *code;
	size_t size;
	int from; /* -1: left alone */
	uint32_t number;
} gaps[] = {
	{"faccessat of glibc 2.41",
	 CODE(0x41, 0x55, 0x41, 0x89, 0xca, NUMBER(439), 0x41, 0x54, 0x55, 0x89, 0xd5, 0x53, 0x48,
	      0x81, 0xec, 0xa8, 0, 0, 0, 0x64, 0x48, 0x8b, 0x1c, 0x25, 0x28, 0, 0, 0, 0x48, 0x89,
	      0x9c, 0x24, 0x98, 0, 0, 0, 0x89, 0xcb, SYSCALL, RETURN),
	 32, 439},
	{"faccessat of glibc 2.43",
	 CODE(0x41, 0x89, 0xd0, NUMBER(439), 0x53, 0x64, 0x4c, 0x8b, 0x14, 0x25, 0x28, 0, 0, 0,
	      0x4c, 0x89, 0x94, 0x24, 0xb8, 0, 0, 0, 0x41, 0x89, 0xca, SYSCALL, RETURN),
	 26, 439},
	{"fexecve of glibc 2.43",
	 CODE(0x90, NUMBER(322), 0x48, 0x8d, 0x35, 0xe5, 0xaa, 0x0c, 0, SYSCALL, RETURN), 6, 322},
	{"too little but for its number", CODE(0x90, NUMBER(4), MOV_EDI, SYSCALL, RETURN), 1, 4},
	{"a frame pointer", CODE(0x55, NUMBER(4), 0x48, 0x89, 0xe5, SYSCALL, RETURN), 6, 4},
	{"two", CODE(0x90, NUMBER(257), MOV_RSI, AT_CWD, SYSCALL), 9, 257},
	{"another number on the way", CODE(0x90, NUMBER(4), 0x89, 0xc8, MOV_RSI, SYSCALL), -1, 0},
	{"part of the number on the way", CODE(0x90, NUMBER(4), 0xb0, 1, MOV_RSI, SYSCALL), -1, 0},
	{"a number is popped", CODE(0x90, NUMBER(4), 0x58, MOV_RSI, SYSCALL), -1, 0},
	{"another register", CODE(0x90, 0x41, NUMBER(4), MOV_RSI, SYSCALL), -1, 0},
	{"a call on the way", CODE(0x90, NUMBER(4), 0xe8, 0, 0, 0, 0, MOV_RSI, SYSCALL), -1, 0},
	{"a jump into it", CODE(0xeb, 5, NUMBER(4), MOV_RSI, SYSCALL, RETURN), -1, 0},
	{"a jump to the call", CODE(0x90, NUMBER(4), MOV_RSI, SYSCALL, 0x74, 0xfc, RETURN), -1, 0},
	{"a jump behind it", CODE(0x90, NUMBER(4), MOV_RSI, SYSCALL, 0x74, 0xfe, RETURN), 6, 4},
	{"a jump to its beginning", CODE(0x90, NUMBER(4), MOV_RSI, SYSCALL, 0x74, 0xf4, RETURN), 6,
	 4},
	{"a switch", CODE(0x48, 0x63, 0x04, 0x82, NUMBER(4), MOV_RSI, SYSCALL, RETURN), -1, 0},
	{"no instruction that is known", CODE(0x90, NUMBER(4), 0x0f, 0xc7, 0xf0, SYSCALL), -1, 0},
};

Test(retext_move, gaps)
{
	for (size_t i = 0; i < sizeof gaps / sizeof *gaps; i++) {
		const struct gap_case *c = &gaps[i];
		struct made *m = make(c->code, c->size);
		struct sb_retext_gap gap = {0};
		uint64_t where;
		bool found = sb_retext_gap(&m->w, find_call(m), &gap);

		cr_expect(eq(int, found, c->from >= 0), "%s", c->what);
		if (!found || c->from < 0)
			continue;
		cr_expect(eq(u64, gap.from, TEXT + (uint64_t)c->from), "%s", c->what);
		cr_expect(eq(u32, gap.number, c->number), "%s", c->what);
		cr_expect(sb_retext_unreached(&m->w, &where), "%s", c->what);
	}
}

Test(retext_move, jumps_from_afar)
{
	static const uint8_t code[] = {0x90, NUMBER(4), MOV_RSI, SYSCALL, RETURN};
	static const struct {
		uint8_t op[2];
		unsigned len;
	} jumps[] = {{{0xe9}, 1}, {{0x0f, 0x8f}, 2}};
	struct sb_retext_gap gap;
	uint64_t where;

	for (unsigned i = 0; i < 2; i++)
		for (int to = 0; to <= 11; to++) {
			struct made *m = make(code, sizeof code);
			unsigned at = 300 + (unsigned)to, len = jumps[i].len;
			int32_t far = to - (int32_t)(at + len + 4);

			cr_assert(sb_retext_gap(&m->w, find_call(m), &gap));
			memcpy(m->code + at, jumps[i].op, len);
			memcpy(m->code + at + len, &far, sizeof far);
			cr_expect(eq(int, sb_retext_unreached(&m->w, &where), to <= 1 || to == 11),
				  "%d", to);
			if (to > 1 && to < 11)
				cr_expect(eq(u64, where, TEXT + at));
		}
}

/* What is relative to the instruction leads where it led. */
Test(retext_move, moved)
{
	static const uint8_t code[] = {0x48, 0x83, 0xec, 0x48, 0x48, 0x8b,
				       0x05, 0x11, 0x22, 0,    0,    RETURN};
	struct made *m = make(code, sizeof code);

	cr_assert(eq(sz, sb_retext_movable(&m->w, TEXT), 11));
	sb_retext_move(&m->w, TEXT, 11, TEXT + 0x100);
	cr_expect(memcmp(m->copy + 0x100, "\x48\x83\xec\x48\x48\x8b\x05\x11\x21\0\0", 11) == 0);
	/* Nor is a jump moved, or one address that is not in the last four bytes. */
	m = make(CODE(0x74, 0x10, 0x48, 0x83, 0xec, 0x48));
	cr_expect(eq(sz, sb_retext_movable(&m->w, TEXT), 0));
	m = make(CODE(0x80, 0x3d, 0x11, 0x22, 0, 0, 0));
	cr_expect(eq(sz, sb_retext_movable(&m->w, TEXT), 0));
}

static const struct suspect_case {
	const char *what;
	const uint8_t *code;
	size_t size;
	bool suspect;
} suspects[] = {
	{"a number that is watched", CODE(0x90, NUMBER(257), 0x0f, 0xc7, 0xf0, SYSCALL), true},
	{"futex", CODE(0x90, NUMBER(202), 0x31, 0xd2, SYSCALL), false},
	{"openat from another register",
	 CODE(0x90, 0x41, 0xb9, 1, 1, 0, 0, 0x44, 0x89, 0xc8, SYSCALL), true},
	{"openat from ebx", CODE(0x90, 0xbb, 1, 1, 0, 0, 0x89, 0xd8, SYSCALL), true},
	{"futex from another register",
	 CODE(0x90, 0x41, 0xb9, 202, 0, 0, 0, 0x44, 0x89, 0xc8, SYSCALL), false},
	{"from memory", CODE(0x90, 0x8b, 0x00, 0x31, 0xd2, SYSCALL), false},
};

Test(retext_move, suspects)
{
	for (size_t i = 0; i < sizeof suspects / sizeof *suspects; i++) {
		struct made *m = make(suspects[i].code, suspects[i].size);

		cr_expect(eq(int, sb_retext_suspect(&m->w, find_call(m)), suspects[i].suspect),
			  "%s", suspects[i].what);
	}
}

#define PUSH(nr)  0x68, (nr)&0xff, (nr) >> 8, 0, 0
#define CALL(far) 0xe8, (far), 0, 0, 0

/* open64 tells which function makes the calls; who else calls it for what is watched is found. */
Test(retext_move, cancellable)
{
	static const uint8_t open[] = {PUSH(257), 0x45, 0x31, 0xc0, 0x48, 0x89, 0xfe, CALL(0x70)};
	static const struct {
		uint8_t push[5];
		bool fine;
	} others[] = {
		{{PUSH(437)}, false},			 /* openat2 */
		{{0x90, 0x90, 0x90, 0x6a, 0}, true},	 /* read */
		{{0x90, 0x90, 0x90, 0x6a, 0x55}, false}, /* creat */
		{{0x90, 0x90, 0x90, 0x90, 0x90}, false}, /* who knows */
	};
	uint64_t where = 0;

	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct made *m = make(open, sizeof open);
		const uint8_t call[] = {0x31, 0xd2, CALL(0x1d)};

		m->symbol.st_size = 32;
		memcpy(m->code + 82, others[i].push, 5);
		memcpy(m->code + 87, call, sizeof call);
		m->w.done[m->w.done_count++] = (struct sb_range){TEXT, TEXT + 32};
		/* Both lead to the same place: 16 + 0x70, and 94 + ... */
		m->code[90] = (uint8_t)(16 + 0x70 - 94);
		cr_expect(eq(int, sb_retext_cancellable(&m->w, &where), others[i].fine), "%zu", i);
		if (!others[i].fine)
			cr_expect(eq(u64, where, TEXT + 89));
	}
}

#else

Test(retext_move, none)
{
	cr_skip_test("x86_64: elsewhere no text is replaced");
}

#endif
