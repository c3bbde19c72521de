/* manifest.lock and the plan: what is written is what is read, and nothing hostile is. */
#include <criterion/criterion.h>
#include <string.h>

#include "bundler/manifest.h"
#include "bundler/plan_write.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct sb_reason reasons[] = {
	{SB_WHY_ENTRY, "ls", NULL},
	{SB_WHY_NEEDED, "/usr/bin/ls", "libc.so.6"},
	{SB_WHY_TRACED, NULL, "open"},
};
static const struct sb_manifest_file files[] = {
	{.path = "/", .type = SB_ITEM_DIR, .mode = 0755, .original = 0700, .mtime = -5},
	{.path = "/a\xff\n",
	 .type = SB_ITEM_FILE,
	 .sha256 = HASH,
	 .size = 7,
	 .mode = 0644,
	 .original = 0644,
	 .mtime = 9,
	 .mtime_ns = 1,
	 .host_gap = SB_GAP_STATIC,
	 .package = "x=1",
	 .reasons = reasons,
	 .reason_count = 3},
	{.path = "/b", .type = SB_ITEM_LINK, .target = "a", .reasons = reasons, .reason_count = 1},
};

static void write_one(struct sb_buf *ret)
{
	static const char *const argv[] = {"ls", "-l", NULL};
	static const struct sb_manifest_entry entry = {"ls", "/usr/bin/ls", argv, "/tmp"};
	static const struct sb_manifest_blind blind = {"static", "/sbin/x", 2};
	static const struct sb_manifest_left_out left_out = {"/k", "secret"};
	struct sb_manifest m = {
		.name = "b",
		.run_mode = "host",
		.arch = "x86_64",
		.glibc = "2.36",
		.launcher_sha256 = HASH,
		.plan_sha256 = HASH,
		.entries = &entry,
		.entry_count = 1,
		.blind = &blind,
		.blind_count = 1,
		.left_out = &left_out,
		.left_out_count = 1,
		.files = files,
		.file_count = 3,
	};
	struct sb_err err = SB_ERR_INIT;

	cr_assert_eq(sb_manifest_write(&m, ret, &err), 0);
}

Test(manifest, round_trip)
{
	auto_buf text = SB_BUF_INIT, again = SB_BUF_INIT;
	struct sb_err err = SB_ERR_INIT;
	struct sb_manifest *m;

	write_one(&text);
	cr_assert_eq(sb_manifest_parse(text.s, text.len, &m, &err), 0, "%s", err.msg);
	const struct sb_manifest_file *f = sb_manifest_find(m, "/a\xff\n");
	cr_assert_not_null(f);
	cr_expect_eq(f->reason_count, 3);
	cr_expect_str_eq(f->reasons[2].detail, "open");
	cr_expect_null(f->reasons[2].from);
	cr_expect_eq(m->files[0].mtime, -5);
	cr_expect_str_eq(m->entries[0].argv[1], "-l");
	cr_expect_eq(sb_manifest_write(m, &again, &err), 0);
	cr_expect_str_eq(again.s, text.s);
	sb_manifest_free(m);
}

Test(manifest, refuses)
{
	static const struct {
		const char *from, *to;
	} cases[] = {
		{"\"sidebundle-manifest\":1", "\"sidebundle-manifest\":2"},
		{"\"sidebundle-manifest\":1", "\"other\":1"},
		{"\"path\":\"/b\"", "\"path\":\"/../b\""},
		{"\"path\":\"/b\"", "\"path\":\"b\""},
		{"\"path\":\"/b\"", "\"path\":\"/b/\""},
		{"\"path\":\"/b\"", "\"path\":\"/\""},
		{"\"path\":\"/b\"", "\"path\":5"},
		{"\"type\":\"link\"", "\"type\":\"fifo\""},
		{"\"target\":\"a\",", ""},
		{"\"size\":7", "\"size\":-7"},
		{"\"size\":7", "\"size\":1e99"},
		{"\"mode\":\"0644\"", "\"mode\":\"0999\""},
		{"\"sha256\":\"0", "\"sha256\":\"Z"},
		{"\"mtime\":\"9.000000001\"", "\"mtime\":\"9\""},
		{"[\"entry\",", "[\"whim\","},
		{"\"name\":\"ls\"", "\"name\":\"../ls\""},
		{"\"files\":[", "\"files\":7,\"x\":["},
		{"{", "["},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		auto_buf text = SB_BUF_INIT, bad = SB_BUF_INIT;
		struct sb_err err = SB_ERR_INIT;
		struct sb_manifest *m;

		write_one(&text);
		char *at = strstr(text.s, cases[i].from);
		cr_assert_not_null(at, "%s", cases[i].from);
		cr_assert_eq(sb_buf_add(&bad, text.s, (size_t)(at - text.s)), 0);
		cr_assert_eq(sb_buf_puts(&bad, cases[i].to), 0);
		cr_assert_eq(sb_buf_puts(&bad, at + strlen(cases[i].from)), 0);
		cr_expect_lt(sb_manifest_parse(bad.s, bad.len, &m, &err), 0, "%s", cases[i].to);
		cr_expect_neq(err.msg[0], '\0');
		/* Cut anywhere, it is refused as well. */
		cr_expect_lt(sb_manifest_parse(text.s, text.len * i / 18, &m, &err), 0);
	}
}

Test(plan, pairs)
{
	static const char *const list[] = {"x", "y z", NULL};
	static const struct sb_plan_entry entry = {.name = "n", .exec = "/e", .argv = list};
	struct sb_plan plan = {.mode = "host", .entries = &entry, .count = 1};
	static const char want[] = "sidebundle-plan\0"
				   "1\0mode\0host\0entry\0n\0exec\0/e\0"
				   "arg\0x\0arg\0y z\0end\0";
	struct sb_err err = SB_ERR_INIT;
	auto_buf bytes = SB_BUF_INIT;

	cr_assert_eq(sb_plan_write(&plan, &bytes, &err), 0);
	cr_assert_eq(bytes.len, sizeof want);
	cr_assert_eq(memcmp(bytes.s, want, sizeof want), 0);
}
