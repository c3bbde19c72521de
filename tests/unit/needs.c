#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

#include "common/needs.h"

Test(needs, compares_kernels_number_by_number)
{
	static const struct {
		const char *needed, *release;
		bool fits;
	} rows[] = {
		{NULL, "2.6.32", true},
		{"3.2.0", "3.2.0-4-amd64", true},
		{"3.2.0", "3.10.0", true},
		{"3.10.0", "3.2.0", false},
		{"5.4.0", "4.19.0-27-amd64", false},
		{"5.4.0", "5.4", true},
		{"5.4.1", "5.4", false},
		{"5.4.0", "6.1-rc1", true},
		{"5.4.0", "5.4-custom", true},
		{"soon", "5.4", true},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sb_err err = SB_ERR_INIT;
		int rc = sb_needs_kernel(rows[i].needed, rows[i].release, &err);

		cr_assert_eq(rc == 0, rows[i].fits, "%s on %s", rows[i].needed, rows[i].release);
		if (rc < 0)
			cr_assert_not_null(strstr(err.msg, rows[i].release), "%s", err.msg);
	}
}

/* What the kernel says of the processor, by the names of its own. */
static bool flag(const char *name)
{
	static char flags[8192];
	char word[32];
	FILE *file = *flags ? NULL : fopen("/proc/cpuinfo", "re");

	while (file && fgets(flags, sizeof flags, file) && strncmp(flags, "flags", 5) != 0)
		;
	if (file)
		fclose(file);
	flags[strcspn(flags, "\n")] = ' ';
	(void)snprintf(word, sizeof word, " %s ", name);
	return strstr(flags, word) != NULL;
}

Test(needs, knows_the_processor)
{
	unsigned level = sb_cpu_level();
	char name[32];

#ifdef __x86_64__
	static const struct {
		unsigned level;
		const char *flag;
	} some[] = {{2, "sse4_2"},  {2, "cx16"},     {2, "lahf_lm"}, {3, "avx2"},
		    {3, "bmi2"},    {3, "movbe"},    {3, "fma"},     {3, "abm"},
		    {4, "avx512f"}, {4, "avx512vl"}, {4, "avx512dq"}};

	cr_assert_geq(level, 1);
	for (size_t i = 0; i < sizeof some / sizeof *some; i++)
		if (some[i].level <= level)
			cr_assert(flag(some[i].flag), "level %u without %s", level, some[i].flag);
#endif
	for (unsigned want = 1; want <= 5; want++) {
		struct sb_err err = SB_ERR_INIT;

		(void)snprintf(name, sizeof name, want > 1 ? "x86-64-v%u" : "x86-64", want);
		cr_assert_eq(sb_needs_cpu(name, &err) == 0, want <= level, "%s", name);
		if (want > level)
			cr_assert_not_null(strstr(err.msg, name), "%s", err.msg);
	}
	struct sb_err err = SB_ERR_INIT;
	cr_assert_eq(sb_needs_cpu(NULL, &err), 0);
	cr_assert_eq(sb_needs_cpu("armv8", &err), 0, "no level of this processor's kind");
}
