/* Where a jump may be written over a system call of the dynamic linker's, and where it may not. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "auditor/sites.h"

#ifdef __x86_64__

#define CODE(...)           \
	{                   \
		__VA_ARGS__ \
	}
#define AHEAD	0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90
#define OPENAT	0xb8, 1, 1, 0, 0
#define MOVE	0x48, 0x89, 0xfe
#define AT_CWD	0xbf, 0x9c, 0xff, 0xff, 0xff
#define SYSCALL 0x0f, 0x05

struct site_case {
	const char *what;
	uint8_t code[32];
	int at; /* -1: left alone */
	long number;
	bool at_cwd;
};

static const struct site_case cases[] = {
	{"openat", CODE(AHEAD, OPENAT, SYSCALL), 8, 257, false},
	{"access", CODE(AHEAD, 0xb8, 21, 0, 0, 0, SYSCALL), 8, 21, false},
	{"open64_nocancel of glibc 2.36", CODE(AHEAD, OPENAT, MOVE, AT_CWD, SYSCALL), 16, 257,
	 true},
	{"another argument", CODE(AHEAD, OPENAT, 0x48, 0x89, 0xf7, AT_CWD, SYSCALL), -1, 0, false},
	{"another directory", CODE(AHEAD, OPENAT, MOVE, 0xbf, 3, 0, 0, 0, SYSCALL), -1, 0, false},
	{"another register", CODE(0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x41, OPENAT, SYSCALL),
	 -1, 0, false},
	{"names no path", CODE(AHEAD, 0xb8, 9, 0, 0, 0, SYSCALL), -1, 0, false},
	{"no system call", CODE(AHEAD, OPENAT, 0xc3, 0x90), -1, 0, false},
	{"nothing ahead to be looked at", CODE(OPENAT, SYSCALL), -1, 0, false},
};

Test(sites, found)
{
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct site_case *c = &cases[i];
		struct sb_site site = {0};
		uint32_t at = 0;
		unsigned count = sb_sites_find(c->code, sizeof c->code, &at, 1);

		cr_expect(eq(uint, count, c->at >= 0), "%s", c->what);
		if (!count || c->at < 0)
			continue;
		cr_expect(eq(int, (int)at, c->at), "%s", c->what);
		cr_assert(sb_site_read(c->code + at, &site), "%s", c->what);
		cr_expect(eq(long, site.number, c->number), "%s", c->what);
		cr_expect(eq(int, site.at_cwd, c->at_cwd), "%s", c->what);
	}
}

Test(sites, no_more_than_asked)
{
	static const uint8_t code[] = {AHEAD, OPENAT, SYSCALL, AHEAD, OPENAT, SYSCALL, AHEAD};
	uint32_t at[2];

	cr_expect(eq(uint, sb_sites_find(code, sizeof code, at, 1), 1));
	cr_expect(eq(uint, sb_sites_find(code, sizeof code, at, 2), 2));
}

#define PAGE	 4096
#define ASK(at)	 memcpy(pages + (at), (uint8_t[]){0xb8, 21, 0, 0, 0, SYSCALL}, 7)
#define LOOK(at) memcpy(pages + (at), (uint8_t[]){OPENAT, SYSCALL}, 7)

/* No page is copied for the sake of what is over. */
Test(sites, access_that_is_alone)
{
	static _Alignas(PAGE) uint8_t pages[4 * PAGE];
	uint32_t at[8];
	unsigned count;

	ASK(100);
	LOOK(2 * PAGE + 100);
	count = sb_sites_find(pages, sizeof pages, at, 8);
	/* The only one is the one that matters. */
	cr_expect(eq(uint, sb_sites_trim(pages, at, count), 2));
	ASK(2 * PAGE + 200);
	LOOK(3 * PAGE + 100);
	count = sb_sites_find(pages, sizeof pages, at, 8);
	cr_expect(eq(uint, count, 4));
	cr_assert(eq(uint, sb_sites_trim(pages, at, count), 3));
	cr_expect(eq(u32, at[0], 2 * PAGE + 100));
	cr_expect(eq(u32, at[1], 2 * PAGE + 200));
	cr_expect(eq(u32, at[2], 3 * PAGE + 100));
}

#else

Test(sites, none)
{
	cr_skip_test("x86_64: elsewhere nothing is planted");
}

#endif
