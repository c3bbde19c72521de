/* What stands in the place of the dynamic linker's calls: whether it is tried out as it is used. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "auditor/thunk.h"

#ifdef __x86_64__

/* Code of our own, within a jump's reach of the thunks. */
static uint8_t *code;
static uint8_t jump[SB_ENTRY_JUMP];

static const struct sb_site by_number = {.number = 257}, at_cwd = {.number = 257, .at_cwd = true};

static void make_code(void)
{
	uintptr_t near = sb_thunk_set(0, &by_number, 0) / 4096 * 4096;

	for (uintptr_t step = 1u << 24; step < 1u << 30 && !code; step += 1u << 24) {
		void *p = mmap((void *)(near + step), 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		if (p == MAP_FAILED)
			cr_skip_test("needs memory that is written to and executed");
		if (sb_entry_jump((uintptr_t)p, near, jump))
			code = p;
		else
			(void)munmap(p, 4096);
	}
	cr_assert(code != NULL);
}

TestSuite(thunk, .init = make_code);

static uint8_t *put_jump(uintptr_t to)
{
	cr_assert(sb_entry_jump((uintptr_t)code, to, jump));
	memcpy(code, jump, sizeof jump);
	return code;
}

Test(thunk, each_works_by_either_kind)
{
	for (unsigned i = 0; i < SB_THUNKS; i++) {
		uint8_t *at = put_jump(sb_thunk_set(i, &by_number, 0));

		cr_expect(sb_thunk_works(i, at, jump), "%u", i);
		at = put_jump(sb_thunk_set(i, &at_cwd, 0));
		cr_expect(sb_thunk_works(i, at, jump), "%u", i);
	}
}

Test(thunk, another_one_is_found_out)
{
	uintptr_t other = sb_thunk_set(1, &by_number, 0);

	(void)sb_thunk_set(0, &by_number, 0);
	uint8_t *at = put_jump(other);
	cr_expect(not(sb_thunk_works(0, at, jump)));
	/* One that goes through registers of the call's. */
	static const uint8_t spoils[] = {0xbe, 9, 0, 0, 0}; /* mov $9, %esi */
	memcpy(code, spoils, sizeof spoils);
	cr_assert(sb_entry_jump((uintptr_t)code + 5, sb_thunk_set(0, &by_number, 0), code + 5));
	cr_expect(not(sb_thunk_works(0, code, spoils)));
}

Test(thunk, no_jump_is_gone_to)
{
	(void)sb_thunk_set(0, &by_number, 0);
	memset(code, 0xf4, 16); /* hlt: it would not survive it */
	cr_expect(not(sb_thunk_works(0, code, jump)));
}

/* As the linker comes to it: the call is made, and it goes on behind. */
Test(thunk, goes_on_where_it_is_told)
{
	static const uint8_t back[] = {0xc3}; /* ret */
	long (*volatile look)(const char *, int) = (long (*)(const char *, int))(uintptr_t)code;
	const struct sb_site access_call = {.number = 21};

	(void)put_jump(sb_thunk_set(0, &access_call, (uintptr_t)code + SB_SITE_LENGTH));
	memcpy(code + SB_SITE_LENGTH, back, sizeof back);
	cr_expect(eq(long, look("/", F_OK), 0));
	cr_expect(eq(long, look("/no/such/file", F_OK), -2));
}

#else

Test(thunk, none)
{
	cr_skip_test("needs x86_64");
}

#endif
