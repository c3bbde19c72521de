/*
 * Hostile bytes for everything that reads foreign files: ELF, notes, ld.so.cache, scripts, env.
 * LLVMFuzzerTestOneInput for a fuzzing engine (clang -fsanitize=fuzzer,address -DSB_ENGINE);
 * without one, main changes sound files at random, always the same way, for some seconds.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "bundler/elf.h"
#include "bundler/elf_note.h"
#include "bundler/ldcache.h"
#include "bundler/linker.h"
#include "bundler/script.h"
#include "common/cleanup.h"
#include "tests/unit/mini_elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_elf(const uint8_t *data, size_t size)
{
	auto_fd int fd = memfd_create("fuzz", MFD_CLOEXEC);
	struct sb_err err = SB_ERR_INIT;
	struct sb_elf *elf = NULL;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
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
#define SECONDS 5

static uint64_t state = 88172645463325252u;

/* xorshift: the same inputs on every machine. */
static uint64_t next(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t odd_value(void)
{
	static const uint64_t values[] = {0,	  1,	      0x7f,	  0x80,	      0xff,
					  0xffff, 0x7fffffff, 0xffffffff, UINT64_MAX, 1u << 20};

	return values[next() % (sizeof values / sizeof *values)];
}

/* Changes a few places, most of them in the headers; now and then cuts the end off. */
static size_t damage(uint8_t *bytes, size_t len)
{
	for (unsigned n = 1 + next() % 6; n; n--) {
		size_t size = (size_t)1 << next() % 4;
		size_t room = next() % 2 && len > 1024 ? 1024 : len;
		uint64_t value = next() % 2 ? odd_value() : next();

		if (room > size)
			memcpy(bytes + next() % (room - size), &value, size);
	}
	return next() % 8 ? len : next() % len;
}

struct input {
	uint8_t *bytes;
	size_t len;
};

static struct input from_file(const char *path)
{
	struct input in = {malloc(LARGEST), 0};
	auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 || !in.bytes ? 0 : read(fd, in.bytes, LARGEST);

	in.len = n > 0 ? (size_t)n : 0;
	return in;
}

static struct input from_text(const char *text)
{
	return (struct input){(uint8_t *)strdup(text), strlen(text)};
}

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
	struct input in = {calloc(1, 65536), 0};

	in.len = in.bytes ? mini_build(&m, in.bytes, NULL) : 0;
	return in;
}

int main(void)
{
	struct input corpus[] = {
		made_up(ELFCLASS64, EM_X86_64),
		made_up(ELFCLASS32, EM_386),
		made_up(ELFCLASS64, EM_AARCH64),
		from_file("/bin/true"),
		from_file("/etc/ld.so.cache"),
		from_text("#!/usr/bin/env -S A=1 'x y' \"\\tz\" a\\_b ${C} -u -- \\# #c\n"),
		from_text(
			"[{\"soname\":[\"a\",\"\\u00e9\"],\"priority\":\"required\",\"x\":[{}]}]"),
	};
	const size_t count = sizeof corpus / sizeof *corpus;
	static uint8_t bytes[LARGEST];
	time_t end = time(NULL) + SECONDS;
	unsigned long runs = 0;

	for (; time(NULL) < end; runs++) {
		const struct input *in = &corpus[runs % count];

		if (!in->len)
			continue;
		memcpy(bytes, in->bytes, in->len);
		/* A copy of just that size, so that a sanitizer sees the first byte behind it. */
		size_t len = damage(bytes, in->len);
		uint8_t *exact = malloc(len ? len : 1);
		if (!exact)
			return 1;
		memcpy(exact, bytes, len);
		LLVMFuzzerTestOneInput(exact, len);
		free(exact);
	}
	for (size_t i = 0; i < count; i++)
		free(corpus[i].bytes);
	printf("%lu inputs\n", runs);
	return runs < count;
}
#endif
