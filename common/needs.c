#include "common/needs.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __x86_64__
#include <cpuid.h>
#endif

int sb_needs_kernel(const char *needed, const char *release, struct sb_err *err)
{
	const char *n = needed, *r = release;

	while (n && *n) {
		char *n_end, *r_end;
		unsigned long want = strtoul(n, &n_end, 10), have = strtoul(r, &r_end, 10);

		/* No number is as good as none asked for. */
		if (n_end == n || have > want)
			return 0;
		if (have < want)
			return sb_fail(
				err, SB_ESAID,
				"this machine's kernel is Linux %s, and the bundle's programs "
				"need %s: run them on a newer one",
				release, needed);
		n = n_end + (*n_end == '.');
		r = r_end + (*r_end == '.');
	}
	return 0;
}

#ifdef __x86_64__

/* The System V ABI for x86-64, "Micro-Architecture Levels", by CPUID's leaves. */
enum { EAX, EBX, ECX, EDX };
static const struct feature {
	uint8_t level, reg, bit;
	uint32_t leaf;
} features[] = {
	{2, ECX, 0, 1},	 {2, ECX, 9, 1},  {2, ECX, 13, 1},	   {2, ECX, 19, 1},
	{2, ECX, 20, 1}, {2, ECX, 23, 1}, {2, ECX, 0, 0x80000001}, {3, ECX, 12, 1},
	{3, ECX, 22, 1}, {3, ECX, 27, 1}, {3, ECX, 28, 1},	   {3, ECX, 29, 1},
	{3, EBX, 3, 7},	 {3, EBX, 5, 7},  {3, EBX, 8, 7},	   {3, ECX, 5, 0x80000001},
	{4, EBX, 16, 7}, {4, EBX, 17, 7}, {4, EBX, 28, 7},	   {4, EBX, 30, 7},
	{4, EBX, 31, 7},
};

static bool has(const struct feature *f)
{
	unsigned regs[4] = {0};

	return __get_cpuid_count(f->leaf, 0, &regs[EAX], &regs[EBX], &regs[ECX], &regs[EDX]) &&
	       regs[f->reg] >> f->bit & 1;
}

/* Which registers the kernel keeps: without that, the instructions are refused. */
static unsigned kept_registers(void)
{
	static const struct feature osxsave = {3, ECX, 27, 1};
	uint32_t low = 0, high = 0;

	if (has(&osxsave))
		__asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low;
}

unsigned sb_cpu_level(void)
{
	static const unsigned kept[] = {0, 0, 0, 0x6, 0xe6}; /* XMM and YMM; opmask and ZMM */
	unsigned level = 4, registers = kept_registers();

	for (size_t i = 0; i < sizeof features / sizeof *features; i++)
		if (features[i].level <= level && !has(&features[i]))
			level = features[i].level - 1u;
	while ((registers & kept[level]) != kept[level])
		level--;
	return level;
}

#else

unsigned sb_cpu_level(void)
{
	return 0;
}

#endif

int sb_needs_cpu(const char *needed, struct sb_err *err)
{
	const char own[] = "x86-64";
	unsigned level = sb_cpu_level();

	if (!needed || strncmp(needed, own, sizeof own - 1) != 0)
		return 0;
	const char *rest = needed + sizeof own - 1;
	unsigned want = strncmp(rest, "-v", 2) == 0 ? (unsigned)strtoul(rest + 2, NULL, 10) : 1;

	if (level >= want)
		return 0;
	if (level == 0)
		return sb_fail(err, SB_ESAID,
			       "this machine's processor is none for %s, which the bundle's "
			       "programs are made for",
			       needed);
	return sb_fail(err, SB_ESAID,
		       "this machine's processor has only what x86-64-v%u asks for, and the "
		       "bundle's programs need %s: run them on a newer one, or make the bundle of "
		       "programs built for less",
		       level, needed);
}
