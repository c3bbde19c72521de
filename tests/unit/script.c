#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

#include "bundler/script.h"
#include "common/buf.h"

static const struct {
	const char *head;
	int rc;
	const char *interp, *arg;
} shebangs[] = {
	{"#!/bin/sh\n", 1, "/bin/sh", NULL},
	{"#!/bin/sh", 1, "/bin/sh", NULL},
	{"#! \t/bin/sh \t\n", 1, "/bin/sh", NULL},
	{"#!/bin/sh -e\necho", 1, "/bin/sh", "-e"},
	{"#!/bin/sh\t -e -u  \n", 1, "/bin/sh", "-e -u"},
	{"#!/usr/bin/env python3\r\n", 1, "/usr/bin/env", "python3\r"},
	{"#!bin/sh\n", 1, "bin/sh", NULL},
	{"#!\n", -ENOEXEC, NULL, NULL},
	{"#!   \n/bin/sh\n", -ENOEXEC, NULL, NULL},
	{"#!", -ENOEXEC, NULL, NULL},
	{"#", 0, NULL, NULL},
	{"", 0, NULL, NULL},
	{" #!/bin/sh\n", 0, NULL, NULL},
};

Test(script, first_lines_are_read_as_the_kernel_reads_them)
{
	for (size_t i = 0; i < sizeof shebangs / sizeof *shebangs; i++) {
		struct sb_shebang line;
		int rc = sb_shebang_parse(shebangs[i].head, strlen(shebangs[i].head), &line);

		cr_assert(eq(int, rc, shebangs[i].rc), "row %zu", i);
		if (rc <= 0)
			continue;
		cr_expect(eq(str, line.interp, (char *)shebangs[i].interp));
		cr_assert(eq(int, line.has_arg, shebangs[i].arg != NULL), "row %zu", i);
		if (line.has_arg)
			cr_expect(eq(str, line.arg, (char *)shebangs[i].arg));
	}
}

/* The kernel reads 256 bytes: a name that is cut off there is refused, an argument is not. */
Test(script, long_lines_are_cut)
{
	char head[300];
	struct sb_shebang line;

	memset(head, 'x', sizeof head);
	memcpy(head, "#!/", 3);
	cr_expect(eq(int, sb_shebang_parse(head, 256, &line), -ENOEXEC));
	head[255] = '\n';
	cr_expect(eq(int, sb_shebang_parse(head, 256, &line), 1));
	cr_expect(eq(sz, strlen(line.interp), 253));
	head[255] = 'x';
	head[10] = ' ';
	cr_expect(eq(int, sb_shebang_parse(head, 256, &line), 1));
	cr_expect(eq(sz, strlen(line.interp), 8));
	cr_expect(eq(sz, strlen(line.arg), 244));
	memset(head + 2, ' ', sizeof head - 2);
	cr_expect(eq(int, sb_shebang_parse(head, 256, &line), -ENOEXEC));
}

static const struct {
	const char *arg;  /* what the kernel hands to env */
	const char *argv; /* joined by '|'; NULL: env refuses */
	bool plain;
	const char *path;
} envs[] = {
	{NULL, "", true, NULL},
	{"python3", "python3", true, NULL},
	{"python3 -u", "python3 -u", true, NULL},
	{"-S python3 -u", "python3|-u", true, NULL},
	{"-Spython3 -u", "python3|-u", true, NULL},
	{"-vS  python3\t-u ", "python3|-u", true, NULL},
	{"--split-string=perl -w", "perl|-w", true, NULL},
	{"-S 'a b' \"c d\" e\\_f", "a b|c d|e|f", true, NULL},
	{"-S \"a\\_b\" x\\ty", "a b|x\ty", true, NULL},
	{"-S a'b'\"c\"d", "abcd", true, NULL},
	{"-S a '' b", "a||b", true, NULL},
	{"-S 'it\\'s' 'a\\\\b' 'c\\n'", "it's|a\\b|c\\n", true, NULL},
	{"-S a #comment", "a", true, NULL},
	{"-S a b#c \\#d", "a|b#c|#d", true, NULL},
	{"-S a\\cb c", "a", true, NULL},
	{"-S FOO=1 PATH=/x:/y perl -w", "perl|-w", false, "/x:/y"},
	{"-S -i perl", "perl", false, NULL},
	{"-iS perl", "perl", false, NULL},
	{"-S -u HOME perl", "perl", false, NULL},
	{"-S -C / perl", "perl", false, NULL},
	{"-S --unset=X perl", "perl", false, NULL},
	{"-S -- perl", "perl", true, NULL},
	{"-S perl ${X} '${Y}' \\${Z}", "perl|${X}|${Y}|${Z}", false, NULL},
	{"-S -S 'perl -w'", "perl|-w", true, NULL},
	{"-S \"a\\cb\"", NULL, false, NULL},
	{"-S $X", NULL, false, NULL},
	{"-S a\\", NULL, false, NULL},
	{"-S a\\q", NULL, false, NULL},
	{"-S 'a", NULL, false, NULL},
	{"-S \"a", NULL, false, NULL},
	{"-Z", NULL, false, NULL},
	{"-S", NULL, false, NULL},
};

Test(script, env_splits_as_coreutils_does)
{
	for (size_t i = 0; i < sizeof envs / sizeof *envs; i++) {
		const char *arg = envs[i].arg ? envs[i].arg : "(none)";
		struct sb_err err = SB_ERR_INIT;
		auto_env struct sb_env env = {.plain = false};
		auto_buf joined = SB_BUF_INIT;
		int rc = sb_env_parse(envs[i].arg, &env, &err);

		if (!envs[i].argv) {
			cr_expect(rc < 0 && *err.msg, "%s", arg);
			continue;
		}
		cr_assert(eq(int, rc, 0), "%s: %s", arg, err.msg);
		for (size_t k = 0; k < env.argv.count; k++) {
			if (k)
				sb_buf_putc(&joined, '|');
			sb_buf_puts(&joined, env.argv.items[k]);
		}
		cr_expect(eq(str, (char *)sb_buf_str(&joined), (char *)envs[i].argv), "%s", arg);
		cr_expect(eq(int, env.plain, envs[i].plain), "%s", arg);
		cr_expect(eq(str, (char *)(env.path ? env.path : ""),
			     (char *)(envs[i].path ? envs[i].path : "")),
			  "%s", arg);
	}
}

Test(script, a_command_that_hangs_on_a_variable_is_unknown)
{
	struct sb_err err = SB_ERR_INIT;
	auto_env struct sb_env env = {.plain = false};

	cr_assert(eq(int, sb_env_parse("-S ${PYTHON} -u", &env, &err), 0));
	cr_expect(env.expands);
}
