/*
 * Hostile bytes for everything that reads foreign files: ELF, notes, ld.so.cache, scripts, env.
 */
#include "tests/fuzz/engine.h"

#include "bundler/elf.h"
#include "bundler/elf_note.h"
#include "bundler/ldcache.h"
#include "bundler/linker.h"
#include "bundler/script.h"
#include "tests/unit/mini_elf.h"

static void try_elf(const uint8_t *data, size_t size)
{
	auto_fd int fd = fuzz_file(data, size);
	struct sb_err err = SB_ERR_INIT;
	struct sb_elf *elf = NULL;

	int rc = sb_elf_read(fd, "/fuzz", &elf, &err);
	/* A failure has its line, a success its result. */
	if (rc < 0 ? !err.code || !err.msg[0] || elf : !elf)
		abort();
	sb_elf_free(elf);
}

static void try_strings(const uint8_t *data, size_t size)
{
	auto_map strings = SB_MAP_INIT;
	struct sb_notes notes = {.strings = &strings, .wide = true};
	struct sb_linker linker = {.libc = SB_LIBC_GLIBC};
	struct sb_shebang line;
	struct sb_ldcache cache;
	size_t at = 0;
	bool variant;

	(void)sb_notes_read(&notes, data, size, 4);
	(void)sb_dlopen_parse(&notes, (const char *)data, size);
	sb_notes_free(&notes);
	(void)sb_linker_scan(&linker, (const char *)data, size);
	sb_map_free(&linker.system_dirs);
	sb_map_free(&linker.strings);
	if (sb_ldcache_parse(&cache, data, size) == 0)
		while (sb_ldcache_next(&cache, &at, "libc.so.6", 0, &variant))
			;
	if (sb_shebang_parse((const char *)data, size, &line) > 0) {
		auto_env struct sb_env env = {.plain = false};
		struct sb_err err = SB_ERR_INIT;

		(void)sb_env_parse(line.has_arg ? line.arg : NULL, &env, &err);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	try_elf(data, size);
	try_strings(data, size);
	return 0;
}

#ifndef SB_ENGINE
#define LARGEST (256u << 10)

static struct input made_up(uint8_t class, uint16_t machine)
{
	static const char note[] = "\4\0\0\0\60\0\0\0\12\14\174\100FDO\0"
				   "[{\"soname\":[\"libx.so\"],\"feature\":\"\\u0041\"}] ";
	const struct mini_tag tags[] = {
		{DT_NEEDED, "libb.so", 0},	{DT_RPATH, "$ORIGIN/${LIB}", 0},
		{DT_AUXILIARY, "libaux.so", 0}, {DT_VERNEED, NULL, 0x100},
		{DT_VERNEEDNUM, NULL, 9},	{0, NULL, 0}};
	const struct mini_elf m = {.class = class,
				   .machine = machine,
				   .interp = "/lib/ld.so",
				   .tags = tags,
				   .note = note,
				   .note_len = sizeof note - 1};
	struct input in = {calloc(1, 65536), 0, false};

	in.len = in.bytes ? mini_build(&m, in.bytes, NULL) : 0;
	return in;
}

static size_t fuzz_corpus(struct input *corpus)
{
	const struct input all[] = {
		made_up(ELFCLASS64, EM_X86_64),
		made_up(ELFCLASS32, EM_386),
		made_up(ELFCLASS64, EM_AARCH64),
		fuzz_from_file("/bin/true", LARGEST),
		fuzz_from_file("/etc/ld.so.cache", LARGEST),
		fuzz_from_text("#!/usr/bin/env -S A=1 'x y' \"\\tz\" a\\_b ${C} -u -- \\# #c\n"),
		fuzz_from_text("[{\"soname\":[\"a\",\"\\u00e9\"],\"priority\":\"required\","
			       "\"x\":[{}]}]"),
	};

	memcpy(corpus, all, sizeof all);
	return sizeof all / sizeof *all;
}
#endif
