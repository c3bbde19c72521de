/* tracer/syscalls.def against the kernel's own headers, where they are installed. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <linux/audit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "common/map.h"
#include "tracer/syscalls.h"

struct header {
	enum sb_abi abi;
	const char *places[3];
};

static const struct header headers[] = {
	{SB_ABI_X86_64,
	 {"/usr/include/x86_64-linux-gnu/asm/unistd_64.h", "/usr/include/asm/unistd_64.h"}},
	{SB_ABI_I386,
	 {"/usr/include/x86_64-linux-gnu/asm/unistd_32.h", "/usr/include/asm/unistd_32.h"}},
	{SB_ABI_X32,
	 {"/usr/include/x86_64-linux-gnu/asm/unistd_x32.h", "/usr/include/asm/unistd_x32.h"}},
	{SB_ABI_AARCH64, {"/usr/include/asm-generic/unistd.h"}},
};

/* "__NR_open 2", "__NR_open (__X32_SYSCALL_BIT + 2)", "__NR3264_truncate 45". */
static void add_line(struct sb_map *numbers, const char *line)
{
	char name[64], value[64];
	const char *plus;
	char *end;

	if (sscanf(line, "#define __NR%*[3264]_%63s %63[^\n]", name, value) != 2 &&
	    sscanf(line, "#define __NR_%63s %63[^\n]", name, value) != 2)
		return;
	plus = strchr(value, '+');
	long nr = strtol(plus ? plus + 1 : value, &end, 10);
	if (end == value)
		return;
	struct sb_map_entry *e = sb_map_adds(numbers, name, NULL);
	cr_assert(e != NULL);
	e->value = (void *)(uintptr_t)(nr + 1);
}

static bool read_header(const struct header *header, struct sb_map *numbers)
{
	for (unsigned i = 0; header->places[i]; i++) {
		auto_file FILE *f = fopen(header->places[i], "re");
		char line[256];

		while (f && fgets(line, sizeof line, f))
			add_line(numbers, line);
		if (f)
			return true;
	}
	return false;
}

static long number_of(const struct sb_map *numbers, const char *name)
{
	const struct sb_map_entry *e = sb_map_finds(numbers, name);

	return e ? (long)(uintptr_t)e->value - 1 : -1;
}

/* What the headers call otherwise. */
static const struct {
	enum sb_abi abi;
	const char *ours, *theirs;
} names[] = {
	{SB_ABI_AARCH64, "newfstatat", "fstatat"},
	{SB_ABI_AARCH64, "utimensat_time64", ""}, /* 32-bit machines alone */
};

static const char *their_name(enum sb_abi abi, const char *ours)
{
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (names[i].abi == abi && strcmp(names[i].ours, ours) == 0)
			return names[i].theirs;
	return ours;
}

Test(syscalls, numbers_are_the_kernels)
{
	unsigned compared = 0;

	for (size_t h = 0; h < sizeof headers / sizeof *headers; h++) {
		auto_map numbers = SB_MAP_INIT;
		enum sb_abi abi = headers[h].abi;

		if (!read_header(&headers[h], &numbers))
			continue;
		for (unsigned i = 0; i < sb_syscall_count; i++) {
			const struct sb_syscall *row = &sb_syscalls[i];
			long theirs = number_of(&numbers, their_name(abi, row->name));

			/* Headers may be older than the call. */
			if (theirs < 0)
				continue;
			cr_expect(row->nr[abi] == theirs, "%s: abi %d: %d, the header has %ld",
				  row->name, (int)abi, row->nr[abi], theirs);
			compared++;
		}
	}
	cr_log_info("%u numbers compared", compared);
}

Test(syscalls, a_number_is_found_once)
{
	for (int abi = 0; abi < SB_ABI_COUNT; abi++)
		for (unsigned i = 0; i < sb_syscall_count; i++) {
			int nr = sb_syscalls[i].nr[abi];

			if (nr >= 0)
				cr_expect(sb_syscall_find((enum sb_abi)abi, nr) == &sb_syscalls[i],
					  "%s: abi %d: two rows have number %d",
					  sb_syscalls[i].name, abi, nr);
		}
	cr_expect_null(sb_syscall_find(SB_ABI_X86_64, 0));
	cr_expect_null(sb_syscall_find(SB_ABI_AARCH64, -1));
}

Test(syscalls, abis_are_told_apart)
{
	cr_expect_eq(sb_syscall_abi(AUDIT_ARCH_X86_64, 2), SB_ABI_X86_64);
	cr_expect_eq(sb_syscall_abi(AUDIT_ARCH_X86_64, 0x40000002), SB_ABI_X32);
	cr_expect_eq(sb_syscall_abi(AUDIT_ARCH_I386, 5), SB_ABI_I386);
	cr_expect_eq(sb_syscall_abi(AUDIT_ARCH_AARCH64, 56), SB_ABI_AARCH64);
	cr_expect_lt(sb_syscall_abi(AUDIT_ARCH_ARM, 5), 0);
	cr_expect_str_eq(sb_syscall_find(SB_ABI_X32, 0x40000000 | 520)->name, "execve");
	cr_expect_null(sb_syscall_find(SB_ABI_X32, 0x40000000 | 59));
}
