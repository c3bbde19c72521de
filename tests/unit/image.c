#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#include "tracer/image.h"

/* In whatever order it is told: each generation stands once, as it was told first. */
Test(image, where_by_generation)
{
	static const uint32_t told[] = {0, 7, 3, 9, 3, 7, UINT32_MAX, 1};
	static const struct {
		uint32_t asked, near;
	} cases[] = {{0, 0}, {1, 1}, {2, 1}, {3, 3}, {6, 3}, {7, 7}, {8, 7}, {9, 9}, {100, 9}};
	struct image image = {.id = 1};
	char names[8][2];

	cr_assert(image_where_near(&image, 5) == NULL);
	for (size_t i = 0; i < 8; i++) {
		names[i][0] = (char)('a' + i);
		cr_assert(eq(int, image_set_where(&image, told[i], names[i], ""), 0));
	}
	cr_assert(eq(sz, image.where_count, 6));
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct image_where *near = image_where_near(&image, cases[i].asked);

		cr_assert(near != NULL);
		cr_expect(eq(u32, near->generation, cases[i].near));
		const struct image_where *same = image_where(&image, cases[i].asked);
		cr_expect(same == (cases[i].asked == cases[i].near ? near : NULL));
	}
	cr_expect(image_where(&image, 7)->cwd == names[1]);
	free(image.wheres);
}

/* Of a program that moves all the time, in time: once each was compared with all before it. */
Test(image, moves_a_million_times, .timeout = 60)
{
	struct image image = {.id = 1};

	for (uint32_t n = 0; n < 1000000; n++) {
		cr_assert(image_set_where(&image, n, "", "") == 0);
		cr_assert(image_where(&image, n) != NULL);
		cr_assert(image_where(&image, n / 2) != NULL);
	}
	free(image.wheres);
}
