/* From a hand-made trace to a set of files, and from there to a payload. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/payload.h"
#include "bundler/select.h"
#include "bundler/writes.h"
#include "tests/unit/shell.h"

static char root[64];
static struct sb_fileset *set;
static struct sb_remarks remarks;

static void set_up(void)
{
	struct sb_err err = SB_ERR_INIT;

	strcpy(root, "/tmp/sb-select.XXXXXX");
	cr_assert_not_null(mkdtemp(root));
	shell(root,
	      "mkdir -p p/d out etc dev && echo a >p/a && echo b >p/d/b && echo h >etc/hosts && "
	      "ln -s /dev/null p/null && touch dev/null p/made p/old && ln p/a p/hard && "
	      "mkfifo p/fifo && chmod 4700 p/old && truncate -s 1M p/sparse");
	cr_assert_eq(sb_fileset_new(root, &set, &err), 0);
}

static void tear_down(void)
{
	char command[128];

	sb_fileset_free(set);
	sb_remarks_free(&remarks);
	(void)snprintf(command, sizeof command, "rm -rf %s", root);
	cr_assert_eq(system(command), 0);
}

static struct sb_event events[] = {
	{.kind = SB_OPEN, .path = "/p/a", .real = "/p/a"},
	{.kind = SB_STAT, .path = "/p/none", .real = "/p/none", .outcome = ENOENT},
	{.kind = SB_SEARCH, .path = "/p/sparse", .real = "/p/sparse"},
	{.kind = SB_LIST, .path = "/p/d", .real = "/p/d"},
	{.kind = SB_OPEN, .path = "/etc/hosts", .real = "/etc/hosts"},
	{.kind = SB_OPEN, .path = "/p/null", .real = "/dev/null"},
	{.kind = SB_OPEN, .path = "/proc/self/fd/3", .real = "/memfd:x (deleted)"},
	{.kind = SB_OPEN, .path = "/proc/4194305/fd/1"},
	{.kind = SB_WRITE,
	 .op = SB_OP_OPEN,
	 .existed = SB_NO,
	 .path = "/p/made",
	 .real = "/p/made"},
	{.kind = SB_OPEN, .path = "/p/made", .real = "/p/made"},
	{.kind = SB_WRITE, .op = SB_OP_OPEN, .existed = SB_YES, .path = "/p/old", .real = "/p/old"},
	{.kind = SB_WRITE, .op = SB_OP_OPEN, .existed = SB_NO, .path = "/out/x", .real = "/out/x"},
	{.kind = SB_STAT, .path = "/p/fifo", .real = "/p/fifo"},
	{.kind = SB_OPEN, .path = "/p/vanished", .real = "/p/vanished"},
	{.kind = SB_OPEN, .path = "/p/hard", .real = "/p/hard"},
};

static void select_these(const struct sb_rules *rules, const struct sb_event *list, size_t count)
{
	static struct sb_trace_process process = {.parent = -1, .exe = "/p/a"};
	struct sb_trace trace = {.header = {.cwd = "/p"},
				 .processes = &process,
				 .process_count = 1,
				 .events = (struct sb_event *)list,
				 .event_count = count,
				 .end = {.closed = true}};
	struct sb_err err = SB_ERR_INIT;

	cr_assert_eq(sb_select_trace(set, &trace, true, rules, &remarks, &err), 0, "%s", err.msg);
	sb_fileset_sort(set);
}

static void select_all(const struct sb_rules *rules)
{
	select_these(rules, events, sizeof events / sizeof *events);
}

static const char *paths(void)
{
	static char all[1024];

	all[0] = '\0';
	for (size_t i = 0; i < set->count; i++)
		strcat(strcat(all, i ? " " : ""), set->items[i].path);
	return all;
}

/* Named by way of what the run made and took away: it is the file itself that is needed. */
static struct sb_event by_way[] = {
	{.kind = SB_WRITE, .op = SB_OP_MKDIR, .existed = SB_NO, .path = "/p/new", .real = "/p/new"},
	{.kind = SB_OPEN, .path = "/p/new/../d/b", .real = "/p/d/b"},
	{.kind = SB_READLINK, .path = "/p/new/../null", .real = "/p/null"},
	{.kind = SB_OPEN, .path = "/p/gone/../a", .real = "/p/a"},
	{.kind = SB_WRITE, .op = SB_OP_MKDIR, .outcome = EEXIST, .path = "/out", .real = "/out"},
	{.kind = SB_WRITE, .op = SB_OP_OPEN, .outcome = EISDIR, .path = "/dir", .real = "/dir"},
	{.kind = SB_READLINK, .outcome = EINVAL, .path = "/p/sparse", .real = "/p/sparse"},
	{.kind = SB_OPEN, .outcome = EINVAL, .path = "/p/old", .real = "/p/old"},
	{.kind = SB_WRITE, .op = SB_OP_LINK, .outcome = EEXIST, .path = "/p/new", .real = "/p/new"},
	{.kind = SB_OPEN, .outcome = ELOOP, .path = "/p/lost", .real = "/p/lost"},
};

TestSuite(select, .init = set_up, .fini = tear_down);

Test(select, keeps_and_leaves_out)
{
	struct sb_rules rules = {0};

	select_all(&rules);
	cr_expect_str_eq(paths(), "/ /out /p /p/a /p/d /p/d/b /p/hard /p/null /p/old");
	cr_expect_eq(sb_remarks_count(&remarks, SB_REMARK_MADE), 1);
	cr_expect_eq(sb_remarks_count(&remarks, SB_REMARK_REWRITTEN), 1);
	cr_expect_eq(sb_remarks_count(&remarks, SB_REMARK_SPECIAL), 1);
	cr_expect_eq(sb_remarks_count(&remarks, SB_REMARK_GONE), 1);
	cr_expect_eq(sb_remarks_count(&remarks, SB_REMARK_TARGET), 1);
	cr_expect_eq(sb_remarks_count(&remarks, SB_REMARK_SYSTEM), 3);
}

Test(select, by_way_of_what_is_gone)
{
	struct sb_rules rules = {0};

	shell(root, "mkdir dir");
	select_these(&rules, by_way, sizeof by_way / sizeof *by_way);
	cr_expect_str_eq(paths(), "/ /dir /out /p /p/d /p/d/b /p/null /p/sparse");
	cr_expect_eq(sb_remarks_count(&remarks, SB_REMARK_GONE), 1);
}

Test(select, globs_win)
{
	static const char *const include[] = {"/p/made", NULL}, *const exclude[] = {"/p/d", NULL};
	struct sb_rules rules = {.include = include, .exclude = exclude};
	struct sb_err err = SB_ERR_INIT;

	select_all(&rules);
	cr_assert_eq(sb_select_include(set, &rules, &remarks, &err), 0);
	cr_assert_eq(sb_select_prune(set, &rules, &remarks, &err), 0);
	sb_fileset_sort(set);
	cr_expect_str_eq(paths(), "/ /out /p /p/a /p/hard /p/made /p/null /p/old");
}

Test(select, payload_keeps_links_holes_and_times)
{
	struct sb_reason why = {.why = SB_WHY_INCLUDED};
	struct sb_rules rules = {0};
	struct sb_err err = SB_ERR_INIT;
	struct sb_manifest_file *files;
	char dir[80];
	struct stat a, b;
	size_t count;

	select_all(&rules);
	cr_assert_eq(sb_fileset_add(set, "/p/sparse", 0, &why, NULL, &err), 1);
	sb_fileset_sort(set);
	(void)snprintf(dir, sizeof dir, "%s/payload", root);
	cr_assert_eq(mkdir(dir, 0755), 0);
	int fd = open(dir, O_RDONLY | O_DIRECTORY);
	struct sb_payload_spec spec = {.set = set, .dirfd = fd};
	cr_assert_eq(sb_payload_write(&spec, &remarks, &files, &count, &err), 0, "%s", err.msg);
	cr_expect_eq(count, set->count);
	cr_assert_eq(fstatat(fd, "p/a", &a, 0), 0);
	cr_assert_eq(fstatat(fd, "p/hard", &b, 0), 0);
	cr_expect_eq(a.st_ino, b.st_ino);
	cr_assert_eq(fstatat(fd, "p/sparse", &a, 0), 0);
	cr_expect_eq(a.st_size, 1 << 20);
	cr_expect_lt(a.st_blocks * 512, 1 << 20);
	cr_assert_eq(fstatat(fd, "p/old", &a, 0), 0);
	cr_expect_eq(a.st_mode & 07777, 0755);
	cr_expect_eq(sb_remarks_count(&remarks, SB_REMARK_SETID), 1);
	cr_assert_eq(fstatat(fd, "p/d", &a, 0), 0);
	cr_expect_eq(a.st_mtim.tv_sec, sb_fileset_find(set, "/p/d")->st.st_mtim.tv_sec);
	free(files);
	close(fd);
}
