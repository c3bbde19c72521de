/* Finding what the kernel put on the stack, above what was pushed since. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "auditor/audit.h"

#define WORDS 256

/* A stack, filled upwards; what begins here is aligned as the kernel aligns it. */
static _Alignas(16) uintptr_t stack[WORDS];
static size_t top;

static void push(uintptr_t word)
{
	cr_assert(top < WORDS);
	stack[top++] = word;
}

/* A string of the program's: somewhere above everything. */
static void push_string(void)
{
	push((uintptr_t)&stack[WORDS - 1]);
}

static void push_pair(uintptr_t key, uintptr_t value)
{
	push(key);
	push(value);
}

/* A variable that ld.so has put a copy of somewhere else is among them. */
static size_t push_block(uintptr_t argc, size_t variables)
{
	size_t begin;

	top = (top + 1) & ~(size_t)1;
	begin = top;
	push(argc);
	for (uintptr_t i = 0; i < argc; i++)
		push_string();
	push(0);
	for (size_t i = 0; i < variables; i++)
		push(i == 1 ? 0x2ffa000 : (uintptr_t)&stack[WORDS - 1]);
	push(0);
	push_pair(AT_SYSINFO_EHDR, 0x7f0000000000);
	push_pair(AT_HWCAP, 0);
	push_pair(AT_PAGESZ, 4096);
	push_pair(AT_PHDR, 0x555555554040);
	push_pair(AT_ENTRY, 0x555555555000);
	push_pair(AT_NULL, 0);
	return begin;
}

static void expect_found(size_t begin, size_t argc, size_t variables)
{
	struct sb_image image = {0};

	cr_assert(sb_image_find(stack, &image));
	cr_expect(eq(ptr, image.argv, &stack[begin + 1]));
	cr_expect(eq(ptr, image.envp, &stack[begin + 1 + argc + 1]));
	cr_expect(eq(ptr, (void *)(uintptr_t)image.auxv,
		     &stack[begin + 1 + argc + 1 + variables + 1]));
}

Test(stack, is_found_whatever_it_holds)
{
	static const struct {
		size_t argc, variables;
	} cases[] = {{1, 5}, {3, 0}, {0, 2}, {0, 0}, {40, 60}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		top = 0;
		memset(stack, 0, sizeof stack);
		expect_found(push_block(cases[i].argc, cases[i].variables), cases[i].argc,
			     cases[i].variables);
	}
}

Test(stack, is_told_from_what_lies_below)
{
	/* Zeroes, and pointers upwards, as frames are full of. */
	push(0);
	push(0);
	push(2);
	push_string();
	push_string();
	push(0);
	push_string();
	push(0);
	push_pair(AT_PAGESZ, 4096); /* a vector that lacks the rest */
	push_pair(AT_NULL, 0);
	push(1);
	push((uintptr_t)&stack[0]); /* downwards: a frame's link to nothing of ours */
	push(0);
	push(0);
	push(7); /* a count that does not agree */
	push_string();
	push(0);
	push(0);
	expect_found(push_block(2, 3), 2, 3);
}

/* Whatever lies up to the top, and nothing is above it: it is read no further. */
Test(stack, ends_where_nothing_is_mapped)
{
	static const uintptr_t fills[] = {0, 1, 0x7fffffffffff, (uintptr_t)-1};
	enum { PAGES = 3, SIZE = PAGES * 4096 };
	struct sb_image image = {0};

	for (size_t i = 0; i < sizeof fills / sizeof *fills; i++) {
		uintptr_t *low = mmap(NULL, SIZE + 4096, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		cr_assert(ne(ptr, low, MAP_FAILED));
		cr_assert(eq(int, munmap((char *)low + SIZE, 4096), 0));
		for (size_t word = 0; word < SIZE / sizeof *low; word++)
			low[word] = fills[i];
		/* A beginning that the top cuts short. */
		low[SIZE / sizeof *low - 2] = 1;
		low[SIZE / sizeof *low - 1] = UINTPTR_MAX;
		cr_expect(not(sb_image_find(low, &image)), "row %zu", i);
		/* Asking changed nothing. */
		low[0] = low[SIZE / sizeof *low - 1] = 1;
		cr_assert(eq(int, munmap(low, SIZE), 0));
	}
}

/* Where this test itself began, as the kernel tells. */
Test(stack, is_found_in_a_real_process)
{
	char text[4096] = "";
	struct sb_image image = {0};
	FILE *f = fopen("/proc/self/stat", "r");

	cr_assert(f && fgets(text, sizeof text, f));
	fclose(f);
	char *word = strtok(strrchr(text, ')'), " ");
	/* startstack is field 28, and the name in parentheses is the second. */
	for (int field = 2; word && field < 28; field++)
		word = strtok(NULL, " ");
	uintptr_t start = word ? strtoul(word, NULL, 10) : 0;
	cr_assert(start != 0);
	/* From as far below as ld.so may be. */
	cr_assert(sb_image_find((const char *)start - 4096, &image));
	cr_expect(eq(ptr, image.argv, (char **)start + 1));
}
