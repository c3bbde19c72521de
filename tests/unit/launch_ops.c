/* What the program sees, decided over two made-up trees: a payload and a machine. */
#include <criterion/criterion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/bundle.h"
#include "launcher/view.h"
#include "tests/unit/shell.h"

static char top[64], payload[96], machine[96];
static struct launch_entry entry;
static struct launch_ops ops;
static struct launch_view view;

static void set_up(void)
{
	strcpy(top, "/tmp/sb-launch.XXXXXX");
	cr_assert_not_null(mkdtemp(top));
	(void)snprintf(payload, sizeof payload, "%s/payload", top);
	(void)snprintf(machine, sizeof machine, "%s/machine", top);
	shell(top,
	      "mkdir -p payload/usr/lib machine/tmp machine/home/u/work machine/etc machine/dev "
	      "&& ln -s usr/lib payload/lib && echo root:x:0:0::/root:/bin/sh >machine/etc/passwd");
	entry = (struct launch_entry){.name = "e", .exec = "/bin/e"};
	view = (struct launch_view){
		.bundle = top,
		.payload = payload,
		.machine = machine,
		.entry = &entry,
		.cwd = "/home/u/work",
		.home = "/home/u",
		.user = "u",
		.uid = 1234,
		.gid = 1234,
	};
}

static void tear_down(void)
{
	launch_ops_free(&ops);
	shell(top, "cd / && rm -rf \"$OLDPWD\"");
}

TestSuite(launch_ops, .init = set_up, .fini = tear_down);

static void plan(const char *start)
{
	struct sb_err err = SB_ERR_INIT;
	auto_buf got = SB_BUF_INIT;

	launch_ops_free(&ops);
	cr_assert_eq(launch_view_plan(&view, &ops, &got, &err), 0, "%s", err.msg);
	cr_assert_str_eq(got.s, start);
}

static const struct launch_op *find(enum launch_op_kind kind, const char *dest)
{
	for (size_t i = 0; i < ops.count; i++)
		if (ops.items[i].kind == kind && strcmp(ops.items[i].dest, dest) == 0)
			return &ops.items[i];
	return NULL;
}

static bool has(enum launch_op_kind kind, const char *dest)
{
	return find(kind, dest) != NULL;
}

Test(launch_ops, binds_whole_what_the_payload_lacks)
{
	plan("/home/u/work");
	cr_assert(has(LAUNCH_BIND, "/tmp"));
	cr_assert(has(LAUNCH_BIND, "/home/u"));
	cr_assert(has(LAUNCH_DIR, "/home/u"));
	cr_assert(!has(LAUNCH_BIND, "/home/u/work"), "it comes with the home");
}

Test(launch_ops, replays_without_the_callers_directories)
{
	const char *writable[] = {"/proj/out", NULL};

	entry.cwd = "/proj";
	entry.writable = (struct sb_strings){writable, 1, 2};
	plan("/proj");
	cr_assert(!has(LAUNCH_BIND, "/tmp"));
	cr_assert(!has(LAUNCH_BIND, "/home/u"));
	cr_assert(has(LAUNCH_DIR, "/home/u"), "made in the layer");
	cr_assert(has(LAUNCH_DIR, "/tmp"));
	cr_assert(has(LAUNCH_DIR, "/proj"));
	cr_assert(has(LAUNCH_COPY, "/proj/out"));
	view.bind = "home";
	plan("/proj");
	cr_assert(has(LAUNCH_BIND, "/home/u"));
	cr_assert(!has(LAUNCH_BIND, "/tmp"));
}

Test(launch_ops, turns_binds_off)
{
	static const struct {
		const char *bind;
		bool home, work, tmp;
	} cases[] = {
		{"", false, false, false},
		{"none", false, false, false},
		{"cwd", false, true, false},
		{"home", true, false, false},
		{"tmp", false, false, true},
		{"cwd:tmp", false, true, true},
		{"/home/u/work", false, true, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		view.bind = cases[i].bind;
		plan("/home/u/work");
		cr_assert_eq(has(LAUNCH_BIND, "/home/u"), cases[i].home, "%s", cases[i].bind);
		cr_assert_eq(has(LAUNCH_BIND, "/home/u/work"), cases[i].work, "%s", cases[i].bind);
		cr_assert_eq(has(LAUNCH_BIND, "/tmp"), cases[i].tmp, "%s", cases[i].bind);
	}
}

Test(launch_ops, refuses_a_bind_that_is_none)
{
	static const char *const cases[][2] = {{"house", "none of cwd"},
					       {"/nowhere", "SIDEBUNDLE_BIND"}};

	for (size_t i = 0; i < 2; i++) {
		struct sb_err err = SB_ERR_INIT;
		auto_buf start = SB_BUF_INIT;

		launch_ops_free(&ops);
		view.bind = cases[i][0];
		cr_assert_lt(launch_view_plan(&view, &ops, &start, &err), 0);
		cr_assert_not_null(strstr(err.msg, cases[i][1]), "%s", err.msg);
	}
}

Test(launch_ops, keeps_the_payloads_files_in_a_mixed_directory)
{
	shell(top, "mkdir -p payload/home/u/tool payload/home/u/deep/er payload/home/u/none && "
		   "touch payload/home/u/tool/x payload/home/u/deep/er/x payload/home/u/both && "
		   "mkdir -p machine/home/u/tool machine/home/u/deep/other machine/home/u/none && "
		   "touch machine/home/u/tool/y machine/home/u/both machine/home/u/own && "
		   "ln -s own machine/home/u/link");
	plan("/home/u/work");
	cr_assert(!has(LAUNCH_BIND, "/home/u"));
	cr_assert(has(LAUNCH_BIND, "/home/u/work"));
	cr_assert(has(LAUNCH_BIND, "/home/u/own"));
	cr_assert(has(LAUNCH_FILE, "/home/u/own"));
	cr_assert_str_eq(find(LAUNCH_LINK, "/home/u/link")->source, "own");
	cr_assert(!has(LAUNCH_BIND, "/home/u/both"), "the payload's file wins");
	cr_assert(!has(LAUNCH_BIND, "/home/u/tool"), "as does a directory with files");
	cr_assert(has(LAUNCH_BIND, "/home/u/deep/other"), "one with directories is mixed");
	cr_assert(!has(LAUNCH_BIND, "/home/u/deep/er"));
	cr_assert(has(LAUNCH_BIND, "/home/u/none"), "an empty one is nobody's");
}

Test(launch_ops, never_binds_what_would_hide_the_payload)
{
	static const char *const dirs[] = {"/", "/usr", "/usr/lib", "/lib", "/proc/1", "/dev"};

	shell(top, "touch payload/usr/lib/x && mkdir -p machine/usr/lib machine/usr/share "
		   "machine/proc/1 && "
		   "ln -s usr/lib machine/lib");
	view.home = NULL;
	for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++) {
		view.cwd = dirs[i];
		plan(dirs[i]);
		for (size_t k = 0; k < ops.count; k++)
			cr_assert(ops.items[k].kind != LAUNCH_BIND ||
					  strncmp(ops.items[k].dest, "/usr", 4) != 0,
				  "%s binds %s", dirs[i], ops.items[k].dest);
	}
	view.cwd = "/usr/share";
	plan("/usr/share");
	cr_assert(has(LAUNCH_BIND, "/usr/share"), "the payload has nothing there");
}

Test(launch_ops, follows_links_on_both_sides)
{
	shell(top,
	      "mkdir -p machine/data/u && rm -rf machine/home/u && ln -s /data/u machine/home/u && "
	      "ln -s /nowhere/else payload/tmp && mkdir -p payload/etc && "
	      "ln -s /run/resolv.conf payload/etc/resolv.conf && touch machine/etc/resolv.conf");
	view.cwd = "/data/u";
	plan("/data/u");
	cr_assert_str_eq(find(LAUNCH_BIND, "/home/u")->source, "/data/u");
	cr_assert(has(LAUNCH_BIND, "/data/u"));
	cr_assert(has(LAUNCH_BIND, "/nowhere/else"), "a dangling link: its target is made");
	cr_assert(has(LAUNCH_FILE, "/run/resolv.conf"));
	cr_assert(has(LAUNCH_SHOW, "/run/resolv.conf"));
}

Test(launch_ops, makes_up_what_the_machine_lacks)
{
	plan("/home/u/work");
	const struct launch_op *passwd = find(LAUNCH_TEXT, "/etc/passwd");
	cr_assert_not_null(passwd);
	cr_assert_str_eq(passwd->source,
			 "root:x:0:0::/root:/bin/sh\nu:x:1234:1234::/home/u:/bin/sh\n");
	cr_assert(has(LAUNCH_TEXT, "/etc/hosts"));
	cr_assert(!has(LAUNCH_SHOW, "/etc/group"));
	cr_assert(!has(LAUNCH_FILE, "/dev/null"), "no device is better than an empty file");
	cr_assert(has(LAUNCH_PTS, "/dev/pts"));

	shell(top,
	      "echo who:x:1234:1:::/bin/sh >>machine/etc/passwd && echo 1 host >machine/etc/hosts");
	plan("/home/u/work");
	cr_assert(has(LAUNCH_SHOW, "/etc/passwd"));
	cr_assert(has(LAUNCH_SHOW, "/etc/hosts"));

	shell(top, "rm machine/etc/passwd");
	view.user = "a:b";
	view.home = "relative";
	plan("/home/u/work");
	cr_assert_str_eq(find(LAUNCH_TEXT, "/etc/passwd")->source, "user:x:1234:1234::/:/bin/sh\n");
}

/* A terminal's node that is bound by itself finds no terminals beside it. */
Test(launch_ops, opens_terminals_as_the_machine_does)
{
	shell(top, "mkdir -p machine/dev/pts && touch machine/dev/pts/ptmx && ln -s pts/ptmx "
		   "machine/dev/ptmx");
	plan("/home/u/work");
	cr_assert(has(LAUNCH_BIND, "/dev/pts"));
	cr_assert_str_eq(find(LAUNCH_LINK, "/dev/ptmx")->source, "pts/ptmx");

	shell(top, "rm machine/dev/pts/ptmx");
	plan("/home/u/work");
	cr_assert(has(LAUNCH_PTS, "/dev/pts"),
		  "the machine's cannot be opened: terminals of our own");

	view.machine = "";
	if (access("/dev/ptmx", R_OK | W_OK) < 0)
		return;
	struct stat st;
	plan("/home/u/work");
	cr_assert(lstat("/dev/ptmx", &st) == 0);
	cr_assert_str_eq(find(LAUNCH_LINK, "/dev/ptmx")->source,
			 S_ISLNK(st.st_mode) ? "pts/ptmx" : ".machine/ptmx");
	cr_assert(!has(LAUNCH_BIND, "/dev/ptmx"));
}

Test(launch_ops, survives_a_directory_that_is_gone)
{
	view.cwd = NULL;
	view.home = "/home/nobody";
	view.tmpdir = "/scratch";
	plan("/");
	cr_assert(has(LAUNCH_DIR, "/home/nobody"));
	cr_assert(has(LAUNCH_DIR, "/scratch"));
	cr_assert(has(LAUNCH_BIND, "/tmp"));
}

Test(launch_ops, binds_what_the_bundle_asks_for)
{
	const char *sources[] = {"/srv", "/srv"}, *dests[] = {"/srv", "/opt/data"};
	const struct launch_plan own = {
		.home = "no",
		.binds = {sources, 2, 2},
		.binds_at = {dests, 2, 2},
	};

	shell(top, "mkdir machine/srv machine/srv2");
	view.plan = &own;
	plan("/home/u/work");
	cr_assert(has(LAUNCH_BIND, "/srv"));
	cr_assert_str_eq(find(LAUNCH_BIND, "/opt/data")->source, "/srv");
	cr_assert(has(LAUNCH_BIND, "/home/u/work"));
	cr_assert(!has(LAUNCH_BIND, "/home/u"));

	view.bind = "/srv2=/srv";
	plan("/home/u/work");
	cr_assert_str_eq(find(LAUNCH_BIND, "/srv")->source, "/srv2");
	cr_assert(!has(LAUNCH_BIND, "/opt/data"));

	entry.cwd = "/proj";
	view.bind = NULL;
	plan("/proj");
	cr_assert(has(LAUNCH_BIND, "/opt/data"), "also where a trace is replayed");
	cr_assert(!has(LAUNCH_BIND, "/home/u/work"));
}

/* Its own name, where no directory that is bound shows it, or is in its place. */
Test(launch_ops, shows_the_bundle)
{
	shell(top, "mkdir -p machine/opt/app/data machine/srv machine/home/u/app");
	view.bundle = "/opt/app";
	plan("/home/u/work");
	cr_assert(has(LAUNCH_SHOW, "/opt/app"));
	cr_assert(has(LAUNCH_FILE, "/etc/passwd") || has(LAUNCH_TEXT, "/etc/passwd"));
	view.bundle = "/home/u/app";
	plan("/home/u/work");
	cr_assert(!has(LAUNCH_SHOW, "/home/u/app"), "it is in the home");
	view.bundle = "/opt/app";
	view.bind = "/srv=/opt";
	plan("/home/u/work");
	cr_assert(!has(LAUNCH_SHOW, "/opt/app"), "who says what is bound says so");
	view.bind = NULL;
	view.cwd = "/opt/app/data";
	plan("/opt/app/data");
	cr_assert(!has(LAUNCH_SHOW, "/opt/app"), "over what is bound it would hide it");
	cr_assert(has(LAUNCH_BIND, "/opt/app/data"));
	view.cwd = "/home/u/work";
	entry.cwd = "/proj";
	plan("/proj");
	cr_assert(!has(LAUNCH_SHOW, "/opt/app"), "a replay has no need of it");
}

Test(launch_ops, refuses_a_bind_that_cannot_be)
{
	static const char *const rows[][2] = {
		{"/none", "/none"},
		{"/srv=/", "nothing can be bound on '/'"},
		{"/srv=/proc/x", "nothing can be bound on '/proc/x'"},
		{"home:/srv=/home/u/new", "make '/home/u/new' first"},
		{"srv", "none of cwd"},
	};

	shell(top, "mkdir machine/srv");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct sb_err err = SB_ERR_INIT;
		auto_buf start = SB_BUF_INIT;

		launch_ops_free(&ops);
		view.bind = rows[i][0];
		cr_assert_lt(launch_view_plan(&view, &ops, &start, &err), 0, "%s", rows[i][0]);
		cr_assert_not_null(strstr(err.msg, rows[i][1]), "%s", err.msg);
	}
}

Test(launch_ops, finds_the_bundle)
{
	char link[128], entry_path[128], cwd[256];
	struct sb_err err = SB_ERR_INIT;
	auto_buf dir = SB_BUF_INIT;
	auto_buf name = SB_BUF_INIT;

	shell(top,
	      "mkdir -p b/bin c && echo x >b/bin/tool && cp b/bin/tool c/ && ln -s b/bin/tool "
	      "short && "
	      "ln -s $PWD/b/bin/tool exe && ln -s /gone exe-gone && ln -s $PWD/c/tool exe-out");
	(void)snprintf(entry_path, sizeof entry_path, "%s/b", top);
	(void)snprintf(link, sizeof link, "%s/exe", top);
	cr_assert_eq(launch_bundle_find(link, NULL, &dir, &name, &err), 0, "%s", err.msg);
	cr_assert_str_eq(dir.s, entry_path);
	cr_assert_str_eq(name.s, "tool");

	cr_assert_not_null(getcwd(cwd, sizeof cwd));
	cr_assert_eq(chdir(top), 0);
	(void)snprintf(link, sizeof link, "%s/exe-gone", top);
	cr_assert_eq(launch_bundle_find(link, "./short", &dir, &name, &err), 0, "%s", err.msg);
	cr_assert_str_eq(dir.s, entry_path);
	cr_assert_eq(chdir(cwd), 0);

	cr_assert_lt(launch_bundle_find(link, NULL, &dir, &name, &err), 0);
	cr_assert_not_null(strstr(err.msg, "is /proc mounted?"));
	(void)snprintf(link, sizeof link, "%s/exe-out", top);
	cr_assert_lt(launch_bundle_find(link, NULL, &dir, &name, &err), 0);
	cr_assert_not_null(strstr(err.msg, "not in the bin/"));
}
