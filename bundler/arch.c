#include "bundler/arch.h"

#include <elf.h>
#include <stddef.h>

/* Cache flags: what ldconfig writes (FLAG_ELF_LIBC6, and the machine's own in the second byte). */
static const struct sb_arch table[] = {
	{
		.machine = EM_X86_64,
		.class = ELFCLASS64,
		.data = ELFDATA2LSB,
		.name = "x86_64",
		.triplet = "x86_64-linux-gnu",
		.libdir = "lib64",
		.interp = "/lib64/ld-linux-x86-64.so.2",
		.musl = "x86_64",
		.cache_flags = 0x0303,
		.platforms = {"haswell", "xeon_phi", "x86_64"},
		.hwcaps = {"x86-64-v4", "x86-64-v3", "x86-64-v2"},
		.legacy = {"tls/haswell", "tls/x86_64", "tls", "haswell/avx512_1", "haswell",
			   "xeon_phi", "x86_64"},
	},
	{
		.machine = EM_386,
		.class = ELFCLASS32,
		.data = ELFDATA2LSB,
		.name = "i686",
		.triplet = "i386-linux-gnu",
		.libdir = "lib",
		.interp = "/lib/ld-linux.so.2",
		.musl = "i386",
		.cache_flags = 0x0003,
		.platforms = {"i586", "i686"},
		.legacy = {"tls/i686", "tls", "i686/sse2", "i686/cmov", "i686", "sse2", "cmov"},
	},
	{
		.machine = EM_X86_64,
		.class = ELFCLASS32,
		.data = ELFDATA2LSB,
		.name = "x32",
		.triplet = "x86_64-linux-gnux32",
		.libdir = "libx32",
		.interp = "/libx32/ld-linux-x32.so.2",
		.musl = "x32",
		.cache_flags = 0x0803,
		.platforms = {"haswell", "xeon_phi", "x86_64"},
		.hwcaps = {"x86-64-v4", "x86-64-v3", "x86-64-v2"},
	},
	{
		.machine = EM_AARCH64,
		.class = ELFCLASS64,
		.data = ELFDATA2LSB,
		.name = "aarch64",
		.triplet = "aarch64-linux-gnu",
		.libdir = "lib64",
		.interp = "/lib/ld-linux-aarch64.so.1",
		.musl = "aarch64",
		.cache_flags = 0x0a03,
		.platforms = {"aarch64"},
		.legacy = {"tls/aarch64", "tls", "atomics", "aarch64"},
	},
	{
		.machine = EM_ARM,
		.class = ELFCLASS32,
		.data = ELFDATA2LSB,
		.flags_mask = EF_ARM_ABI_FLOAT_HARD,
		.flags = EF_ARM_ABI_FLOAT_HARD,
		.name = "armv7l",
		.triplet = "arm-linux-gnueabihf",
		.libdir = "lib",
		.interp = "/lib/ld-linux-armhf.so.3",
		.musl = "armhf",
		.cache_flags = 0x0903,
		.platforms = {"v8l", "v6l", "v7l"},
		.legacy = {"tls", "v7l", "neon", "vfp"},
	},
	{
		.machine = EM_ARM,
		.class = ELFCLASS32,
		.data = ELFDATA2LSB,
		.name = "armv5tel",
		.triplet = "arm-linux-gnueabi",
		.libdir = "lib",
		.interp = "/lib/ld-linux.so.3",
		.musl = "arm",
		.cache_flags = 0x0b03,
		.platforms = {"v7l", "v6l", "v5l"},
	},
	{
		.machine = EM_RISCV,
		.class = ELFCLASS64,
		.data = ELFDATA2LSB,
		.name = "riscv64",
		.triplet = "riscv64-linux-gnu",
		.libdir = "lib64/lp64d",
		.interp = "/lib/ld-linux-riscv64-lp64d.so.1",
		.musl = "riscv64",
		.cache_flags = 0x1003,
		.platforms = {"riscv64"},
	},
	{
		.machine = EM_PPC64,
		.class = ELFCLASS64,
		.data = ELFDATA2LSB,
		.name = "ppc64le",
		.triplet = "powerpc64le-linux-gnu",
		.libdir = "lib64",
		.interp = "/lib64/ld64.so.2",
		.musl = "powerpc64le",
		.cache_flags = 0x0503,
		.platforms = {"power10", "power9", "power8"},
		.hwcaps = {"power10", "power9"},
	},
	{
		.machine = EM_S390,
		.class = ELFCLASS64,
		.data = ELFDATA2MSB,
		.name = "s390x",
		.triplet = "s390x-linux-gnu",
		.libdir = "lib64",
		.interp = "/lib/ld64.so.1",
		.musl = "s390x",
		.cache_flags = 0x0403,
		.platforms = {"z15", "z14", "z13"},
		.hwcaps = {"z16", "z15", "z14", "z13"},
	},
};

const struct sb_arch *sb_arch_find(uint16_t machine, uint8_t class, uint8_t data, uint32_t flags)
{
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const struct sb_arch *a = &table[i];

		if (a->machine == machine && a->class == class && a->data == data &&
		    (flags & a->flags_mask) == a->flags)
			return a;
	}
	return NULL;
}
