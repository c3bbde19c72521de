/* errors, buffers, maps, paths, globs */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/err.h"
#include "common/map.h"
#include "common/path.h"
#include "common/utf8.h"

Test(err, gains_context_outermost_first)
{
	struct sb_err err = SB_ERR_INIT;

	cr_assert(eq(int, sb_fail(&err, ENOENT, "open '%s'", "/x"), -ENOENT));
	cr_assert(eq(int, sb_wrap(&err, "read %s", "manifest"), -ENOENT));
	cr_expect(eq(str, err.msg, "read manifest: open '/x'"));
}

Test(err, line_has_no_control_characters_and_ends_with_the_reason)
{
	struct sb_err err = SB_ERR_INIT;
	char line[128];

	(void)sb_fail(&err, ENOENT, "open 'a\nb\033'");
	sb_err_line(&err, line, sizeof line);
	cr_expect(eq(str, line, "open 'a\\x0ab\\x1b': No such file or directory"));
	(void)sb_fail(&err, SB_ESAID, "said");
	sb_err_line(&err, line, sizeof line);
	cr_expect(eq(str, line, "said"));
}

Test(err, a_long_context_gives_way_to_the_cause)
{
	struct sb_err err = SB_ERR_INIT;
	char context[5000];

	memset(context, 'c', sizeof context - 1);
	context[sizeof context - 1] = '\0';
	(void)sb_fail(&err, EIO, "the cause");
	(void)sb_wrap(&err, "%s", context);
	cr_expect(strstr(err.msg, "the cause") != NULL);

	(void)sb_fail(&err, EIO, "%s", context);
	(void)sb_wrap(&err, "more");
	cr_expect(eq(chr, err.msg[0], 'c'));
}

Test(buf, grows_cuts_and_hands_over)
{
	auto_buf buf = SB_BUF_INIT;

	cr_expect(eq(str, (char *)sb_buf_str(&buf), ""));
	for (int i = 0; i < 1000; i++)
		cr_assert(eq(int, sb_buf_printf(&buf, "%d,", i), 0));
	cr_expect(eq(sz, buf.len, 3890));
	sb_buf_cut(&buf, 4);
	cr_expect(eq(str, buf.s, "0,1,"));
	char *s = sb_buf_steal(&buf);
	cr_expect(eq(str, s, "0,1,"));
	cr_expect(buf.s == NULL);
	free(s);
}

Test(map, keeps_order_keys_and_binary_names)
{
	auto_map map = SB_MAP_INIT;
	char key[16];
	int fresh;

	for (int i = 0; i < 5000; i++) {
		(void)snprintf(key, sizeof key, "k%d", i);
		sb_map_adds(&map, key, &fresh)->value = (void *)(intptr_t)i;
		cr_assert(fresh);
	}
	const char *kept = sb_map_finds(&map, "k17")->key;
	cr_expect(eq(str, (char *)map.entries[17].key, "k17"));
	sb_map_adds(&map, "k17", &fresh);
	cr_expect(not(fresh));
	cr_expect(sb_map_find(&map, "a\0b", 3) == NULL);
	sb_map_add(&map, "a\0b", 3, &fresh);
	cr_expect(fresh);
	cr_expect(sb_map_finds(&map, "a") == NULL);
	sb_map_sort(&map);
	cr_expect(sb_map_finds(&map, "k17")->key == kept);
	cr_expect(eq(sz, map.entries[0].len, 3));
}

Test(map, is_filled_again)
{
	auto_map map = SB_MAP_INIT;
	char key[64];
	int fresh;

	sb_map_clear(&map);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 2000; i++) {
			snprintf(key, sizeof key, "a name long enough for many blocks %d", i);
			struct sb_map_entry *e = sb_map_adds(&map, key, &fresh);
			cr_assert(fresh && e->value == NULL, "round %d, %d", round, i);
			e->value = &map;
		}
		cr_expect(eq(sz, map.count, 2000));
		sb_map_clear(&map);
		cr_expect(eq(sz, map.count, 0));
		cr_expect(sb_map_finds(&map, key) == NULL);
	}
}

Test(path, absolute)
{
	static const struct {
		const char *dir, *path, *want;
	} cases[] = {
		{"/a/b", "c", "/a/b/c"},       {"/a/", "./c//d/", "/a/c/d"},
		{"/a", "/x//y/./z", "/x/y/z"}, {"/", ".", "/"},
		{"/a", "../b", "/a/../b"},     {"/", "x", "/x"},
		{"/a", "...", "/a/..."},       {"/a", "", "/a"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		auto_buf got = SB_BUF_INIT;

		cr_assert(eq(int, sb_path_absolute(&got, cases[i].dir, cases[i].path), 0));
		cr_expect(eq(str, got.s, (char *)cases[i].want));
	}
}

Test(common, paths_without_dots)
{
	static const struct {
		const char *dir, *path, *want;
	} cases[] = {
		{"/a", "b/./c", "/a/b/c"},
		{"/usr", "../bin", "/bin"},
		{"/usr", "..", "/"},
		{"/none/here", "../bin/e", "/none/bin/e"},
		{"/", "../../x..y", "/x..y"},
		{"/none", "/none/..a/b", "/none/..a/b"},
		{"/proc", "self/../none/", "/proc/none"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		auto_buf got = SB_BUF_INIT;
		struct sb_err err = SB_ERR_INIT;

		cr_assert(eq(int, sb_path_without_dots("", cases[i].dir, cases[i].path, &got, &err),
			     0));
		cr_assert(eq(str, got.s, (char *)cases[i].want));
	}
}

Test(path, below)
{
	cr_expect(sb_path_below("/a/b", "/a"));
	cr_expect(sb_path_below("/a", "/a"));
	cr_expect(sb_path_below("/a", "/"));
	cr_expect(sb_path_below("/a/b", "/a/"));
	cr_expect(not(sb_path_below("/ab", "/a")));
	cr_expect(not(sb_path_below("/", "/a")));
}

Test(path, glob)
{
	static const struct {
		const char *glob, *path;
		bool want;
	} cases[] = {
		{"/a/**", "/a/b/c", true},    {"/a/**", "/a", true},
		{"**/x.c", "/a/b/x.c", true}, {"/**/x", "/x", true},
		{"/a/*/c", "/a/b/c", true},   {"/a/*", "/a/b/c", false},
		{"/**", "/", true},	      {"/a/**/c/**/d", "/a/c/x/c/y/d", true},
		{"*.c", "x.c", true},	      {"/a/**/z", "/a/b/c", false},
		{"/a", "/a/b", false},	      {"/a/b", "/a", false},
		{"/a/[bc]", "/a/c", true},    {"/a/b\nc", "/a/b\nc", true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		cr_expect(eq(int, sb_glob_match(cases[i].glob, cases[i].path), cases[i].want),
			  "%s ~ %s", cases[i].glob, cases[i].path);
}

/* A pattern that would make a naive matcher try for ever. */
Test(path, glob_is_bounded, .timeout = 5)
{
	auto_buf glob = SB_BUF_INIT, path = SB_BUF_INIT;

	for (int i = 0; i < 40; i++)
		(void)sb_buf_puts(&glob, "/**/a");
	for (int i = 0; i < 400; i++)
		(void)sb_buf_puts(&path, "/a");
	(void)sb_buf_puts(&glob, "/b");
	cr_expect(not(sb_glob_match(glob.s, path.s)));
}

static void make_root(char *dir)
{
	cr_assert(mkdtemp(dir) != NULL);
	cr_assert(eq(int, chdir(dir), 0));
	cr_assert(eq(int, mkdir("usr", 0755) | mkdir("usr/lib", 0755) | mkdir("etc", 0755), 0));
	cr_assert(eq(int, symlink("usr/lib", "lib") | symlink("/etc/alt", "usr/lib/so"), 0));
	cr_assert(eq(int, symlink("../../../../../../usr/lib/real", "etc/alt"), 0));
	cr_assert(eq(int, symlink("loop", "loop") | symlink("/nowhere/x", "dangling"), 0));
	cr_assert(eq(int, close(open("usr/lib/real", O_CREAT | O_WRONLY, 0644)), 0));
}

static int note_hop(void *arg, const char *link, const char *target, struct sb_err *err)
{
	(void)err;
	return sb_buf_printf(arg, "%s>%s;", link, target);
}

Test(path, resolves_inside_a_root_as_chroot_would)
{
	static const struct {
		const char *path;
		unsigned flags;
		int want;
		const char *real;
	} cases[] = {
		{"/lib/so", 0, 0, "/usr/lib/real"},
		{"/lib/so", SB_RESOLVE_NOFOLLOW, 0, "/usr/lib/so"},
		{"/../..", 0, 0, "/"},
		{"/etc/../lib/../../x", SB_RESOLVE_MISSING, 0, "/x"},
		{"/dangling", SB_RESOLVE_MISSING, 0, "/nowhere/x"},
		{"/dangling", 0, -ENOENT, NULL},
		{"/loop", 0, -ELOOP, NULL},
		{"/usr/lib/real/x", 0, -ENOTDIR, NULL},
	};
	char dir[] = "/tmp/sidebundle-unit-XXXXXX";
	struct sb_err err = SB_ERR_INIT;
	auto_buf real = SB_BUF_INIT, hops = SB_BUF_INIT;

	make_root(dir);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int rc = sb_resolve(dir, cases[i].path, cases[i].flags, NULL, NULL, &real, &err);

		cr_expect(eq(int, rc, cases[i].want), "%s: %s", cases[i].path, err.msg);
		if (rc == 0 && cases[i].real)
			cr_expect(eq(str, real.s, (char *)cases[i].real));
	}
	cr_assert(eq(int, sb_resolve(dir, "/lib/so", 0, note_hop, &hops, &real, &err), 0));
	cr_expect(eq(str, hops.s,
		     "/lib>usr/lib;/usr/lib/so>/etc/alt;/etc/alt>../../../../../../usr/lib/real;"));
}

Test(utf8, takes_the_shortest_form_alone)
{
	static const struct {
		const char *s;
		size_t len;
		uint32_t point;
	} rows[] = {
		{"a", 1, 'a'},
		{"\xc3\xa4", 2, 0xe4},
		{"\xe6\xbc\xa2", 3, 0x6f22},
		{"\xf0\x9f\x98\x80", 4, 0x1f600},
		{"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
		{"\x80", 0, 0},
		{"\xc0\x80", 0, 0},
		{"\xc3", 0, 0},
		{"\xc3x", 0, 0},
		{"\xe0\x9f\xbf", 0, 0},
		{"\xed\xa0\x80", 0, 0},
		{"\xf0\x8f\xbf\xbf", 0, 0},
		{"\xf4\x90\x80\x80", 0, 0},
		{"\xff", 0, 0},
		{"", 0, 0},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		uint32_t point = 0;

		cr_assert(eq(sz, sb_utf8_next(rows[i].s, strlen(rows[i].s), &point), rows[i].len));
		cr_assert(eq(u32, point, rows[i].point), "row %zu", i);
	}
	cr_assert(not(sb_utf8_shown(0x9b)));
	cr_assert(not(sb_utf8_shown(0x202e)));
	cr_assert(sb_utf8_shown(0xe4));
	cr_assert(eq(int, sb_utf8_width(0x6f22), 2));
	cr_assert(eq(int, sb_utf8_width(0x301), 0));
}
