/* What does not belong into a bundle; words of a line. */
#include <criterion/criterion.h>
#include <string.h>

#include "bundler/rules.h"
#include "bundler/select.h"
#include "tools/words.h"

Test(rules, paths)
{
	static const struct {
		const char *path;
		bool (*rule)(const char *);
		bool want;
	} cases[] = {
		{"/usr/lib/libGL.so.1", sb_is_gpu_library, true},
		{"/usr/lib/libGL.so.1.7.0", sb_is_gpu_library, true},
		{"/usr/lib/libglib-2.0.so.0", sb_is_gpu_library, false},
		{"/usr/lib/libGLU.so.1", sb_is_gpu_library, false},
		{"/usr/lib/libGL.so.notes", sb_is_gpu_library, false},
		{"/usr/lib/libcuda.so.535.104.05", sb_is_gpu_library, true},
		{"/usr/lib/libcuda.so.535.104.05", sb_is_gpu_dispatch, false},
		{"/usr/lib/libdrm.so.2", sb_is_gpu_dispatch, true},
		{"/proc", sb_is_system_path, true},
		{"/run/user/1", sb_is_system_path, true},
		{"/running", sb_is_system_path, false},
		{"/memfd:shared (deleted)", sb_is_nameless, true},
		{"/tmp/deleted", sb_is_nameless, false},
		{"/etc/passwd", sb_is_target_file, true},
		{"/etc/nsswitch.conf", sb_is_target_file, false},
		{"/etc/shadow", sb_is_secret_path, true},
		{"/home/u/.netrc", sb_is_secret_path, true},
		{"/home/u/.ssh/id_rsa", sb_is_secret_path, true},
		{"/home/u/.ssh/id_rsa.pub", sb_is_secret_path, false},
		{"/home/u/.aws/config", sb_is_secret_path, false},
		{"/home/u/.aws/credentials", sb_is_secret_path, true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(cases[i].rule(cases[i].path), cases[i].want, "%s", cases[i].path);
}

Test(rules, private_keys_by_their_text)
{
	static const struct {
		const char *text;
		bool want;
	} cases[] = {
		{"-----BEGIN PRIVATE KEY-----\n", true},
		{"comment\n-----BEGIN OPENSSH PRIVATE KEY-----\n", true},
		{"-----BEGIN CERTIFICATE-----\n", false},
		{"Created: 20261130T000000\nKey: (private-key (rsa (n #00\n", true},
		{"(21:protected-private-key(3:rsa", true},
		{"the (private-key of it\n", false},
		{"see -----BEGIN PRIVATE KEY-----\n", false},
		{"PuTTY-User-Key-File-3: ssh-ed25519\n", true},
		{"", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect_eq(sb_is_secret_text(cases[i].text, strlen(cases[i].text)), cases[i].want,
			     "%s", cases[i].text);
}

Test(rules, a_glob_stands_for_all_below)
{
	const char *const globs[] = {"/usr/share/doc", "**/*.pyc", NULL};

	cr_expect_not_null(sb_globs_match(globs, "/usr/share/doc/x/y"));
	cr_expect_not_null(sb_globs_match(globs, "/a/b/c.pyc"));
	cr_expect_null(sb_globs_match(globs, "/usr/share/docs"));
	cr_expect_null(sb_globs_match(NULL, "/usr"));
}

Test(words, as_a_shell_splits_them)
{
	static const struct {
		const char *line, *joined;
	} cases[] = {
		{"", ""},
		{"  a  b ", "a|b|"},
		{"-c 'import x; y' z", "-c|import x; y|z|"},
		{"a\"b c\"'d e'", "ab cd e|"},
		{"a\\ b \"\\\"\" '\\'", "a b|\"|\\|"},
		{"'' \"\"", "||"},
	};
	struct sb_err err = SB_ERR_INIT;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		auto_strv words = SB_STRV_INIT;
		char joined[128] = "";

		cr_assert_eq(sb_words_split(cases[i].line, &words, &err), 0);
		for (size_t n = 0; n < words.count; n++)
			strcat(strcat(joined, words.items[n]), "|");
		cr_expect_str_eq(joined, cases[i].joined, "%s: %s", cases[i].line, joined);
	}
	auto_strv words = SB_STRV_INIT;
	cr_expect_eq(sb_words_split("a 'b", &words, &err), -SB_EUSAGE);
}
