#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tracer/diff.h"
#include "tracer/diff_private.h"

Test(diff, takes_out_what_changes_by_itself)
{
	static const struct {
		const char *path, *bones;
	} rows[] = {
		{"/usr/lib/libc.so.6", "/usr/lib/libc.so.#"},
		{"/tmp/ccAb12Cd.o", "/tmp/?8.o"},
		{"/tmp/ccZz99Xx.o", "/tmp/?8.o"},
		{"/tmp/tmpk3j_x8q2", "/tmp/?11"},
		{"/tmp/tmpkajzxoqb", "/tmp/?11"},
		{"/tmp/ccabcdef.s", "/tmp/?8.s"},
		{"/etc/tmpfiles.d/account", "/etc/tmpfiles.d/account"},
		{"/tmp/a-12345/x", "/tmp/a-#/x"},
		{"/tmp/a-99/x", "/tmp/a-#/x"},
		{"/home/somebody/makefile", "/home/somebody/makefile"},
		{"/a/README", "/a/README"},
		{"/a/\xff\x80 b", "/a/\xff\x80 b"},
		{"", ""},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		auto_buf bones = SB_BUF_INIT;

		cr_assert(eq(int, diff_skeleton(rows[i].path, &bones), 0));
		cr_assert(eq(str, (char *)sb_buf_str(&bones), (char *)rows[i].bones));
	}
}

Test(diff, knows_what_libc_opens)
{
	static const struct {
		const char *path;
		bool libc;
	} rows[] = {
		{"/etc/ld.so.cache", true},
		{"/usr/lib/locale/C.utf8/LC_CTYPE", true},
		{"/usr/lib/x86_64-linux-gnu/gconv/gconv-modules.cache", true},
		{"/usr/share/zoneinfo/Europe/Berlin", true},
		{"/etc/nsswitch.conf", true},
		{"/usr/lib/x86_64-linux-gnu/libnss_files.so.2", true},
		{"/proc/sys/kernel/ngroups_max", true},
		{"/etc/hostname", false},
		{"/usr/lib/python3/locale.py", false},
		{"/home/me/etc/passwd", false},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		cr_assert(eq(int, diff_is_libc(rows[i].path), rows[i].libc), "%s", rows[i].path);
	cr_assert(diff_is_process("/proc/12/maps"));
	cr_assert(not(diff_is_process("/proc/self/maps")));
}

static struct sb_trace *load(const char *backend, const char *rest)
{
	char path[] = "/tmp/sb-diff-XXXXXX";
	FILE *out = fdopen(mkstemp(path), "w");
	struct sb_trace *t = NULL;
	struct sb_err err = SB_ERR_INIT;

	fprintf(out,
		"{\"sidebundle-trace\":1,\"cwd\":\"/\",\"argv\":[\"a\"],\"backend\":\"%s\"}\n%s",
		backend, rest);
	fclose(out);
	cr_assert(eq(int, sb_trace_load(path, &t, &err), 0), "%s", err.msg);
	unlink(path);
	return t;
}

#define P(id, exe) "{\"process\":" #id ",\"exe\":\"" exe "\"}\n"
#define E(id, path, outcome)                                                                      \
	"{\"event\":\"open\",\"process\":" #id ",\"path\":\"" path "\",\"outcome\":" #outcome "}" \
	"\n"
#define END "{\"end\":true,\"status\":0}\n"

/* Of all outcomes on a path the best one counts; without a success, one in common is enough. */
Test(diff, compares_outcomes)
{
	static const struct {
		const char *a, *b;
		size_t differences;
	} rows[] = {
		{E(0, "/f", 0), E(0, "/f", 0), 0},
		{E(0, "/f", 2) E(0, "/f", 0), E(0, "/f", 0), 0},
		{E(0, "/f", 2), E(0, "/f", 0), 1},
		{E(0, "/f", 2), E(0, "/f", 13), 1},
		{E(0, "/f", 2) E(0, "/f", 13), E(0, "/f", 13), 0},
		{E(0, "/f", null), E(0, "/f", 13), 0},
		{E(0, "/f", null), E(0, "/f", 0), 0},
		{E(0, "/f", 4000), E(0, "/f", 4000), 0},
		{E(0, "/f", 0), "", 1},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char a[512], b[512];
		struct sb_err err = SB_ERR_INIT;
		struct sb_diff *d = NULL;

		(void)snprintf(a, sizeof a, P(0, "/a") "%s" END, rows[i].a);
		(void)snprintf(b, sizeof b, P(0, "/a") "%s" END, rows[i].b);
		struct sb_trace *ta = load("ptrace", a), *tb = load("ptrace", b);
		cr_assert(eq(int, sb_diff_traces(ta, tb, ~0u, &d, &err), 0));
		cr_assert(eq(sz, d->count, rows[i].differences), "row %zu", i);
		cr_assert(eq(sz, d->same, !rows[i].differences), "row %zu", i);
		sb_diff_free(d);
		sb_trace_free(ta);
		sb_trace_free(tb);
	}
}

/* A blind spot explains only where nobody that was seen into did the same. */
Test(diff, explains_by_the_best_witness)
{
	struct sb_trace *a = load(
		"audit",
		P(0, "/s") P(
			1,
			"/d") "{\"end\":true,\"blind\":[{\"why\":\"static\",\"path\":\"/s\"}]}\n");
	struct sb_trace *b = load("ptrace", P(0, "/s") P(1, "/d") E(0, "/one", 0) E(0, "/two", 0)
						    E(1, "/two", 0) END);
	struct sb_err err = SB_ERR_INIT;
	struct sb_diff *d = NULL;
	char text[64];

	cr_assert(eq(int, sb_diff_traces(a, b, ~0u, &d, &err), 0));
	cr_assert(eq(sz, d->count, 2));
	cr_assert(eq(str, (char *)d->items[0].path, "/one"));
	cr_assert(eq(str, (char *)sb_diff_why_name(&d->items[0], text, sizeof text),
		     "static program"));
	cr_assert(eq(int, d->items[1].why, SB_DIFF_RAW));
	cr_assert(eq(sz, d->items[1].side[1].program_count, 2));
	cr_assert(not(d->items[1].side[0].seen));
	sb_diff_free(d);
	sb_trace_free(a);
	sb_trace_free(b);
}
