/*
 * Hostile bytes for what rewrites machine code: host mode's copies of libc and the dynamic linker,
 * and the text of libc that traced processes get.
 */
#include "tests/fuzz/engine.h"

#include <elf.h>

#include "bundler/patch.h"
#include "common/buf.h"
#include "tracer/retext.h"

static void try_patch(const uint8_t *data, size_t size, uint16_t machine, bool linker)
{
	struct sb_patch patch = {.machine = machine, .gates = 0x555100001000, .linker = linker};
	struct sb_err err = SB_ERR_INIT;
	auto_buf copy = SB_BUF_INIT;
	int rc = sb_patch_library(data, size, &patch, &copy, &err);

	if (rc < 0 ? !err.code || !err.msg[0] : !copy.len)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_patch start;
	auto_buf text = SB_BUF_INIT;

	for (unsigned i = 0; i < 2; i++) {
		try_patch(data, size, EM_X86_64, i);
		try_patch(data, size, EM_AARCH64, i);
	}
	(void)sb_patch_start(data, size, &start);
	if (sb_retext(data, size, &text, &err) < 0 ? !err.msg[0] : !text.len)
		abort();
	return 0;
}

#ifndef SB_ENGINE
#define LARGEST (4u << 20)

static size_t fuzz_corpus(struct input *corpus)
{
	static const char *const files[] = {
		"/lib64/ld-linux-x86-64.so.2",
		"/lib/x86_64-linux-gnu/libc.so.6",
		"/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1",
		"/usr/aarch64-linux-gnu/lib/libc.so.6",
		"/lib/ld-linux-aarch64.so.1",
		"/lib64/libc.so.6",
		"/bin/true",
	};
	size_t count = 0;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		corpus[count++] = fuzz_from_file(files[i], LARGEST);
	return count;
}
#endif
