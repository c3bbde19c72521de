#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracer/realpath.h"

static struct sb_real *real;
static char dir[PATH_MAX];

static void link_to(const char *target, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	cr_assert(eq(int, symlink(target, path), 0));
}

static void make_dir(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	cr_assert(eq(int, mkdir(path, 0700), 0));
}

/* d/sub, d/file; links to all sides. */
static void set_up(void)
{
	struct sb_err err = SB_ERR_INIT;
	char path[PATH_MAX], made[] = "/tmp/sb-real-XXXXXX";
	cr_assert(mkdtemp(made) != NULL);
	cr_assert(realpath(made, dir) != NULL);
	make_dir("d");
	make_dir("d/sub");
	snprintf(path, sizeof path, "%s/d/file", dir);
	close(open(path, O_CREAT | O_WRONLY, 0600));
	link_to("d", "to_d");
	link_to("to_d/file", "to_file");
	link_to("/d/sub", "absolute"); /* means something only with dir as the root */
	link_to("../../../../../../d/file", "d/out");
	link_to("loop", "loop");
	link_to("nowhere/at/all", "dangling");
	link_to("file/", "d/slash");
	cr_assert(eq(int, sb_real_new(&real, &err), 0));
}

static void tear_down(void)
{
	char command[PATH_MAX + 16];

	sb_real_free(real);
	snprintf(command, sizeof command, "rm -rf '%s'", dir);
	cr_assert(eq(int, system(command), 0));
}

TestSuite(realpath, .init = set_up, .fini = tear_down);

static const struct {
	const char *path;
	bool nofollow;
	const char *want; /* below dir; NULL: cannot be told */
} cases[] = {
	{"/d/file", false, "/d/file"},
	{"/to_d/file", false, "/d/file"},
	{"/to_file", false, "/d/file"},
	{"/to_file", true, "/to_file"},
	{"/to_d", true, "/to_d"},
	{"/to_d/", true, "/d"},
	{"/to_d/.", true, "/d"},
	{"/to_d/sub/..", true, "/d"},
	{"/to_d/sub/../file", false, "/d/file"},
	{"/to_d//sub/.///../file", false, "/d/file"},
	{"/to_d/../to_d/sub", false, "/d/sub"},
	{"/loop", false, NULL},
	{"/loop", true, "/loop"},
	{"/loop/x", false, NULL},
	{"/dangling", false, "/nowhere/at/all"},
	{"/dangling", true, "/dangling"},
	{"/missing", false, "/missing"},
	{"/missing/x/../y", false, "/missing/y"},
	{"/d/file/x", false, "/d/file/x"},
	{"/d/slash", false, "/d/file"},
	{"", false, ""},
};

Test(realpath, follows_as_the_kernel_does)
{
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
			char path[2 * PATH_MAX], want[2 * PATH_MAX];

			snprintf(path, sizeof path, "%s%s", dir, cases[i].path);
			const char *got = sb_real_path(real, "", path, cases[i].nofollow, 1);
			if (!cases[i].want) {
				cr_expect(got == NULL, "case %zu: %s", i, got);
				continue;
			}
			snprintf(want, sizeof want, "%s%s", dir, cases[i].want);
			cr_expect(got != NULL, "case %zu", i);
			cr_expect(eq(str, got ? (char *)got : "", want), "case %zu", i);
		}
		if (round == 1)
			sb_real_forget(real);
	}
}

/* Never outside of the root, by whatever link. */
Test(realpath, stays_in_its_root)
{
	static const struct {
		const char *path, *want;
	} rooted[] = {
		{"/absolute", "/d/sub"},
		{"/d/out", "/d/file"},
		{"/../../d/file", "/d/file"},
		{"/to_d/../../to_file", "/d/file"},
		{"/etc/passwd", "/etc/passwd"},
		{"/", "/"},
		{"/..", "/"},
	};

	for (size_t i = 0; i < sizeof rooted / sizeof *rooted; i++) {
		const char *got = sb_real_path(real, dir, rooted[i].path, false, 1);

		cr_expect(got != NULL, "case %zu", i);
		cr_expect(eq(str, got ? (char *)got : "", (char *)rooted[i].want), "case %zu", i);
	}
}

/* /proc/self is whose it was, and what is behind a descriptor. */
Test(realpath, belongs_to_its_process)
{
	char path[PATH_MAX], want[PATH_MAX];
	int status, pipes[2];

	cr_assert(eq(int, pipe(pipes), 0));
	pid_t pid = fork();
	if (pid == 0) {
		int fd;
		char c;

		snprintf(path, sizeof path, "%s/d/file", dir);
		fd = open(path, O_RDONLY);
		if (fd < 0 || dup2(fd, 77) < 0 || dup2(pipes[0], 78) < 0 || chdir(dir) < 0)
			_exit(1);
		close(pipes[1]);
		_exit(read(pipes[0], &c, 1) != 0);
	}
	snprintf(path, sizeof path, "/proc/%d/fd/78", (int)pid);
	for (int i = 0; i < 500 && access(path, F_OK) < 0; i++)
		usleep(10000);
	snprintf(want, sizeof want, "%s/d/file", dir);
	cr_expect(eq(str, (char *)sb_real_path(real, "", "/proc/self/fd/77", false, pid), want));
	cr_expect(eq(str, (char *)sb_real_path(real, "", "/dev/fd/77", false, pid), want));
	cr_expect(sb_real_path(real, "", "/proc/self/fd/78", false, pid) == NULL);
	snprintf(want, sizeof want, "/proc/%d/maps", (int)pid);
	cr_expect(eq(str, (char *)sb_real_path(real, "", "/proc/self/maps", false, pid), want));
	close(pipes[1]);
	waitpid(pid, &status, 0);
	cr_assert(eq(int, status, 0));
	/* The next process's own is another. */
	snprintf(want, sizeof want, "/proc/%d/maps", (int)getpid());
	cr_expect(
		eq(str, (char *)sb_real_path(real, "", "/proc/self/maps", false, getpid()), want));
}

Test(realpath, deep_and_long)
{
	static char path[20000];
	size_t n = 0;

	while (n + 3 < sizeof path)
		n += (size_t)sprintf(path + n, "/x");
	(void)sb_real_path(real, "", path, false, 1);
	n = 0;
	while (n + 4 < 4000)
		n += (size_t)sprintf(path + n, "/..");
	cr_assert(eq(str, (char *)sb_real_path(real, "", path, false, 1), "/"));
}

/* Made and gone again before anybody looked. */
Test(realpath, links_that_were_made)
{
	char path[PATH_MAX], below[PATH_MAX], want[PATH_MAX];

	snprintf(path, sizeof path, "%s/fleeting", dir);
	snprintf(below, sizeof below, "%s/fleeting/file", dir);
	snprintf(want, sizeof want, "%s/d/file", dir);
	sb_real_linked(real, path, "d");
	cr_expect(eq(str, (char *)sb_real_path(real, "", below, false, 1), want));
	cr_expect(eq(str, (char *)sb_real_path(real, "", path, true, 1), path));
	sb_real_removed(real, "", path, 1);
	sb_real_linked(real, path, NULL);
	cr_expect(eq(str, (char *)sb_real_path(real, "", below, false, 1), below));
}

/* What a descriptor is changes without a name being changed. */
Test(realpath, descriptors_are_not_remembered)
{
	char path[PATH_MAX], want[PATH_MAX];
	int pipes[2];

	snprintf(path, sizeof path, "%s/d/file", dir);
	cr_assert(eq(int, pipe(pipes), 0));
	cr_assert(eq(int, dup2(pipes[0], 77), 77));
	cr_expect(sb_real_path(real, "", "/dev/fd/77", false, getpid()) == NULL);
	cr_assert(eq(int, dup2(open(path, O_RDONLY), 77), 77));
	cr_expect(eq(str, (char *)sb_real_path(real, "", "/dev/fd/77", false, getpid()), path));
	close(77);
	snprintf(want, sizeof want, "/proc/%d/fd/77", (int)getpid());
	cr_expect(eq(str, (char *)sb_real_path(real, "", "/dev/fd/77", false, getpid()), want));
	cr_assert(eq(int, dup2(pipes[1], 77), 77));
	cr_expect(sb_real_path(real, "", "/dev/fd/77", false, getpid()) == NULL);
}

/* Told or, for changes that nobody tells of, after a while. */
Test(realpath, remembered_until_renewed)
{
	char path[PATH_MAX], want[PATH_MAX];

	snprintf(path, sizeof path, "%s/to_d", dir);
	snprintf(want, sizeof want, "%s/d", dir);
	sb_real_renew(real);
	cr_expect(eq(str, (char *)sb_real_path(real, "", path, false, 1), want));
	cr_assert(eq(int, unlink(path), 0));
	link_to("d/sub", "to_d");
	cr_expect(eq(str, (char *)sb_real_path(real, "", path, false, 1), want));
	usleep((useconds_t)(2 * SB_REAL_BELIEVED * 1e6));
	sb_real_renew(real);
	snprintf(want, sizeof want, "%s/d/sub", dir);
	cr_expect(eq(str, (char *)sb_real_path(real, "", path, false, 1), want));
}
