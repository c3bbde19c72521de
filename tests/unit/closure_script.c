/* Scripts: what the kernel and env make of their first line. */
#include "common/buf.h"
#include "tests/unit/closure_root.h"

static void expect_program(const char *path, const char *elf, const char *prefix)
{
	struct sb_program program;
	auto_buf got = SB_BUF_INIT;

	cr_assert(eq(int, add(path), 0), "%s: %s", path, err.msg);
	cr_assert(eq(int, sb_closure_program(closure, path, &program, &err), 0));
	for (size_t i = 0; program.prefix[i]; i++)
		sb_buf_printf(&got, "%s%s", i ? "|" : "", program.prefix[i]);
	cr_expect(eq(str, (char *)(program.elf ? program.elf : ""), (char *)elf), "%s", path);
	cr_expect(eq(str, (char *)sb_buf_str(&got), (char *)prefix), "%s", path);
	cr_expect(eq(int, program.script, strcmp(path, elf) != 0));
}

Test(closure_script, scripts, .init = begin, .fini = end)
{
	static const struct {
		const char *path, *text, *elf, *prefix;
	} rows[] = {
		{"/s/plain", "#!/bin/sh\n", "/bin/sh", ""},
		{"/s/arg", "#!/bin/sh -e -u\n", "/bin/sh", "-e -u"},
		{"/s/twice", "#!/s/arg x\n", "/bin/sh", "-e -u|/s/arg|x"},
		{"/s/env", "#!/usr/bin/env sh\n", "/bin/sh", ""},
		{"/s/envs", "#!/usr/bin/env -S sh -e 'a b'\n", "/bin/sh", "-e|a b"},
		{"/s/envscript", "#!/usr/bin/env -S plain -x\n", "/bin/sh", "/usr/bin/plain|-x"},
		{"/s/envset", "#!/usr/bin/env -S A=1 tool -x\n", "/usr/bin/env", "-S A=1 tool -x"},
		{"/s/envpath", "#!/usr/bin/env -S PATH=/s2 sh\n", "/usr/bin/env", "-S PATH=/s2 sh"},
		{"/s/space", "#!/usr/bin/env sh -e\n", "/usr/bin/env", "sh -e"},
		{"/s/gone", "#!/bin/gone\n", "", ""},
		{"/s/relative", "#!bin/sh\n", "", ""},
		{"/s/noprogram", "#!/etc/text\n", "", ""},
	};

	put_elf("/bin/sh", LD, NULL);
	put_elf("/usr/bin/env", LD, NULL);
	put_elf("/usr/bin/tool", LD, NULL);
	put_elf("/s2/sh", LD, NULL);
	put_text("/usr/bin/plain", "#!/bin/sh\n");
	put_text("/etc/text", "hello\n");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		put_text(rows[i].path, rows[i].text);
	start_with(&plain);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		expect_program(rows[i].path, rows[i].elf, rows[i].prefix);
	cr_expect(sb_fileset_find(set, "/usr/bin/tool") != NULL);
	cr_expect(sb_fileset_find(set, "/s2/sh") != NULL);
	cr_expect(eq(sz, closure->missing_count, 4));
}

/* The kernel follows five scripts, and refuses a sixth. */
Test(closure_script, chains_of_scripts_end, .init = begin, .fini = end)
{
	put_elf("/bin/sh", LD, NULL);
	put_text("/s1", "#!/bin/sh\n");
	for (int i = 2; i <= 6; i++) {
		char path[8], text[16];

		(void)snprintf(path, sizeof path, "/s%d", i);
		(void)snprintf(text, sizeof text, "#!/s%d\n", i - 1);
		put_text(path, text);
	}
	put_text("/self", "#!/self\n");
	put_text("/bin/envself", "#!/usr/bin/env envself\n");
	put_text("/bin/envself2", "#!/usr/bin/env -S A=1 envself2\n");
	put_elf("/usr/bin/env", LD, NULL);
	start_with(&plain);
	cr_expect(eq(int, add("/s5"), 0));
	cr_expect(eq(int, add("/s6"), -SB_ESAID));
	cr_expect(eq(int, add("/self"), -SB_ESAID));
	cr_expect(eq(int, add("/bin/envself"), -ELOOP));
	cr_expect(eq(int, add("/bin/envself2"), 0));
}
