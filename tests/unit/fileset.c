#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bundler/fileset.h"
#include "tests/unit/shell.h"

static char root[64];
static struct sb_fileset *set;

static void set_up(void)
{
	struct sb_err err = SB_ERR_INIT;

	strcpy(root, "/tmp/sb-fileset.XXXXXX");
	cr_assert_not_null(mkdtemp(root));
	shell(root, "mkdir -p usr/lib usr/bin opt && ln -s usr/lib lib && ln -s /usr/bin bin && "
		    "echo x >usr/lib/libx.so.1.2 && ln -s libx.so.1.2 usr/lib/libx.so.1 && "
		    "mkfifo opt/fifo && ln -s loop opt/loop && ln -s /nowhere opt/dangling && "
		    "ln -s ../usr/lib/../bin opt/out");
	cr_assert_eq(sb_fileset_new(root, &set, &err), 0, "%s", err.msg);
}

static void tear_down(void)
{
	char command[128];

	sb_fileset_free(set);
	(void)snprintf(command, sizeof command, "rm -rf %s", root);
	cr_assert_eq(system(command), 0);
}

static int add(const char *path, unsigned flags, const char **ret_real)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_reason why = {.why = SB_WHY_TRACED, .from = "/usr/bin/x", .detail = "open"};

	return sb_fileset_add(set, path, flags, &why, ret_real, &err);
}

/* All paths, separated by spaces, in the set's order. */
static const char *paths(void)
{
	static char all[1024];

	all[0] = '\0';
	for (size_t i = 0; i < set->count; i++) {
		strcat(all, i ? " " : "");
		strcat(all, set->items[i].path);
	}
	return all;
}

TestSuite(fileset, .init = set_up, .fini = tear_down);

Test(fileset, brings_links_and_directories)
{
	const char *real;

	cr_assert_eq(add("/lib/libx.so.1", 0, &real), 1);
	cr_assert_str_eq(real, "/usr/lib/libx.so.1.2");
	sb_fileset_sort(set);
	cr_assert_str_eq(paths(), "/ /lib /usr /usr/lib /usr/lib/libx.so.1 /usr/lib/libx.so.1.2");
	const struct sb_item *link = sb_fileset_find(set, "/lib");
	cr_assert_eq(link->type, SB_ITEM_LINK);
	cr_assert_str_eq(link->target, "usr/lib");
	cr_assert_eq(link->reasons[0].why, SB_WHY_LINK);
	cr_assert_str_eq(link->reasons[0].from, "/usr/lib/libx.so.1.2");
	cr_assert_eq(sb_fileset_find(set, "/usr")->reasons[0].why, SB_WHY_PARENT);
}

/* The kernel goes into a directory before it climbs out of it. */
Test(fileset, brings_what_is_only_passed_through)
{
	cr_assert_eq(add("/opt/out", 0, NULL), 1);
	sb_fileset_sort(set);
	cr_assert_str_eq(paths(), "/ /opt /opt/out /usr /usr/bin /usr/lib");
}

Test(fileset, table)
{
	static const struct {
		const char *path;
		unsigned flags;
		int rc;
		const char *all;
	} cases[] = {
		{"/", 0, 1, "/"},
		{"/usr", 0, 1, "/ /usr"},
		{"/usr/.", 0, 0, "/ /usr"},
		{"/usr/lib/../bin", 0, 1, "/ /usr /usr/lib /usr/bin"},
		{"/bin", SB_FILESET_NOFOLLOW, 1, "/ /usr /usr/lib /usr/bin /bin"},
		{"/bin", 0, 0, "/ /usr /usr/lib /usr/bin /bin"},
		{"/bin/none", 0, -ENOENT, "/ /usr /usr/lib /usr/bin /bin"},
		{"/opt/dangling", 0, -ENOENT, "/ /usr /usr/lib /usr/bin /bin"},
		{"/opt/loop", 0, -ELOOP, "/ /usr /usr/lib /usr/bin /bin"},
		{"/opt/fifo", 0, -ENOTSUP, "/ /usr /usr/lib /usr/bin /bin"},
		{"/usr/lib/libx.so.1.2/x", 0, -ENOTDIR, "/ /usr /usr/lib /usr/bin /bin"},
		{"/opt/dangling", SB_FILESET_NOFOLLOW, 1,
		 "/ /usr /usr/lib /usr/bin /bin /opt /opt/dangling"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int rc = add(cases[i].path, cases[i].flags, NULL);

		cr_expect_eq(rc, cases[i].rc, "%s: %d", cases[i].path, rc);
		cr_expect_str_eq(paths(), cases[i].all, "%s: %s", cases[i].path, paths());
	}
}

Test(fileset, reasons_stand_once)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_reason other = {
		.why = SB_WHY_NEEDED, .from = "/usr/bin/y", .detail = "libx.so.1"};
	const char *path = "/usr/lib/libx.so.1.2";

	cr_assert_eq(add(path, 0, NULL), 1);
	cr_assert_eq(add(path, 0, NULL), 0);
	cr_assert_eq(sb_fileset_add(set, path, 0, &other, NULL, &err), 0);
	cr_assert_eq(sb_fileset_find(set, path)->reason_count, 2);
}

Test(fileset, takes_bytes_from_elsewhere)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_reason why = {.why = SB_WHY_COPIED, .from = "/src"};
	char source[128];

	(void)snprintf(source, sizeof source, "%s/usr/lib/libx.so.1.2", root);
	cr_assert_eq(sb_fileset_add_from(set, "/bin/new/y", source, &why, &err), 1, "%s", err.msg);
	sb_fileset_sort(set);
	cr_assert_str_eq(paths(), "/ /bin /usr /usr/bin /usr/bin/new /usr/bin/new/y");
	cr_assert_null(sb_fileset_find(set, "/usr/bin/new")->source);
	cr_assert_str_eq(sb_fileset_find(set, "/usr/bin/new/y")->source, source);
	/* What is given by name wins. */
	cr_assert_eq(add("/usr/lib/libx.so.1", SB_FILESET_NOFOLLOW, NULL), 1);
	cr_assert_eq(sb_fileset_add_from(set, "/usr/lib/libx.so.1", source, &why, &err), 0);
	cr_assert_eq(sb_fileset_find(set, "/usr/lib/libx.so.1")->type, SB_ITEM_FILE);
	cr_assert_eq(sb_fileset_add_from(set, "/usr/lib", source, &why, &err), -EEXIST);
}
