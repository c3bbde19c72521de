#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <sys/mman.h>

#include "redirect/redirect.h"

#define PAGE 4096

struct sb_here sb_here;

static char *pages;

/* Two pages, and behind them one that may not be read. */
static void set_up(void)
{
	pages = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	cr_assert(pages != MAP_FAILED);
	memset(pages, 'x', 2 * PAGE);
	cr_assert(eq(int, mprotect(pages + 2 * PAGE, PAGE, PROT_NONE), 0));
}

static void put_back(void)
{
	cr_assert(eq(int, munmap(pages, 3 * PAGE), 0));
}

TestSuite(memory, .init = set_up, .fini = put_back);

Test(memory, knows_what_leads_nowhere)
{
	cr_expect(not(sb_can_read(NULL, 1)));
	cr_expect(not(sb_can_read((char *)1, 1)));
	cr_expect(not(sb_can_read((char *)-1, 1)));
	cr_expect(not(sb_can_read_string((char *)1)));
	cr_expect(not(sb_can_read_string(pages + 2 * PAGE)));
	cr_expect(sb_can_read(pages, 2 * PAGE));
	cr_expect(not(sb_can_read(pages, 2 * PAGE + 1)));
}

Test(memory, reads_a_string_to_its_end)
{
	char *end = pages + 2 * PAGE;

	for (int len = 0; len < 20; len++) {
		end[-1] = 0;
		cr_expect(sb_can_read_string(end - 1 - len), "%d", len);
		end[-1] = 'x';
		cr_expect(not(sb_can_read_string(end - 1 - len)), "%d", len);
	}
	/* Over the border between two pages. */
	pages[PAGE] = 0;
	cr_expect(sb_can_read_string(pages + PAGE - 3));
	/* Of what is longer than any path only so much is looked at. */
	cr_expect(not(sb_can_read_string(pages + PAGE + 1)));
	cr_expect(sb_can_read_string(pages));
}

Test(memory, forgets_what_was_there)
{
	cr_expect(sb_can_read(pages, 1));
	cr_assert(eq(int, mprotect(pages, PAGE, PROT_NONE), 0));
	sb_forget_memory();
	cr_expect(not(sb_can_read(pages, 1)));
}

Test(memory, counts_a_list)
{
	char **list = (char **)(pages + 2 * PAGE) - 3;
	size_t n = 9;

	memset(list, 0, 3 * sizeof *list);
	list[0] = list[1] = pages;
	cr_expect(sb_count_list(list, &n));
	cr_expect(eq(sz, n, 2));
	cr_expect(sb_count_list(NULL, &n));
	cr_expect(eq(sz, n, 0));
	list[2] = pages;
	cr_expect(not(sb_count_list(list, &n)));
	cr_expect(not(sb_count_list((char **)8, &n)));
}
