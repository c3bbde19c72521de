/* Links that are remembered for as long as their directory stays as it is. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "tracer/links.h"

static char dir[PATH_MAX];
static struct sb_links *links;

/* Longer than the grain of the file system's clock, as links.c has it. */
static void let_it_settle(void)
{
	usleep(150000);
	sb_links_doubt(links);
}

static void link_to(const char *target, const char *name)
{
	char path[2 * PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	(void)unlink(path);
	cr_assert(eq(int, symlink(target, path), 0));
}

/* $D is the directory. */
static void run(const char *command)
{
	cr_assert(eq(int, system(command), 0), "%s", command);
}

static void set_up(void)
{
	char made[] = "/tmp/sidebundle-links-XXXXXX";
	struct sb_err err;

	cr_assert(mkdtemp(made) && realpath(made, dir) && setenv("D", dir, 1) == 0);
	run("mkdir -p \"$D/d/sub\"; touch \"$D/d/file\"");
	link_to("file", "d/link");
	cr_assert(eq(int, sb_links_new(&links, &err), 0));
}

static void tear_down(void)
{
	sb_links_free(links);
	run("rm -rf \"$D\"");
}

TestSuite(links, .init = set_up, .fini = tear_down);

/* The target, or what went wrong in its place. */
static const char *what(const char *name)
{
	static char target[PATH_MAX];
	char path[2 * PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	ssize_t n = sb_links_read(links, path, target, sizeof target);
	return n >= 0 ? target : strerrorname_np((int)-n);
}

static void expect(const char *name, const char *want)
{
	cr_expect(eq(str, (char *)what(name), (char *)want), "%s", name);
}

Test(links, are_read_as_readlink_does)
{
	char root[] = "/proc", cut[5];
	char path[2 * PATH_MAX];

	for (int round = 0; round < 3; round++) {
		expect("d/link", "file");
		expect("d/file", "EINVAL");
		expect("d/sub", "EINVAL");
		expect("d/none", "ENOENT");
		expect("none/at/all", "ENOENT");
		expect("d/file/x", "ENOTDIR");
		if (round == 1)
			let_it_settle();
	}
	cr_expect(eq(int, (int)sb_links_read(links, root, path, sizeof path), -EINVAL));
	cr_expect(eq(str, root, "/proc"), "the name is as it was");
	link_to("a/long/target", "d/long");
	snprintf(path, sizeof path, "%s/d/long", dir);
	cr_expect(eq(int, (int)sb_links_read(links, path, cut, sizeof cut), 4));
	cr_expect(eq(str, cut, "a/lo"));
}

Test(links, last_until_doubted)
{
	let_it_settle();
	expect("d/link", "file");
	expect("d/none", "ENOENT");
	link_to("sub", "d/link");
	link_to("file", "d/none");
	expect("d/link", "file");
	expect("d/none", "ENOENT");
	sb_links_doubt(links);
	expect("d/link", "sub");
	expect("d/none", "file");
}

/* Changes that come one upon the other leave one time behind. */
Test(links, of_a_directory_just_changed_are_not_believed)
{
	for (int i = 0; i < 200; i++) {
		char target[16];

		snprintf(target, sizeof target, "t%d", i);
		link_to(target, "d/link");
		sb_links_doubt(links);
		expect("d/link", target);
	}
}

Test(links, belong_to_the_directory_that_has_the_name)
{
	let_it_settle();
	expect("d/link", "file");
	expect("d/sub/x", "ENOENT");
	run("mv \"$D/d\" \"$D/old\"; mkdir \"$D/d\"");
	link_to("other", "d/link");
	let_it_settle();
	expect("d/link", "other");
	expect("d/sub/x", "ENOENT");
	run("rm -r \"$D/d\"; mv \"$D/old\" \"$D/d\"");
	sb_links_doubt(links);
	expect("d/link", "file");
	/* What was missing may come to be, by a directory above. */
	expect("e/f/g", "ENOENT");
	let_it_settle();
	expect("e/f/g", "ENOENT");
	run("mkdir -p \"$D/e/f\"");
	link_to("here", "e/f/g");
	sb_links_doubt(links);
	expect("e/f/g", "here");
}

/* Their times tell nothing: what a descriptor is changes without them. */
Test(links, of_proc_are_not_remembered)
{
	char path[] = "/proc/self/fd/77", target[PATH_MAX];

	for (int i = 0; i < 2; i++) {
		int fd = open(i ? "/dev/zero" : "/dev/null", O_RDONLY);

		cr_assert(eq(int, dup2(fd, 77), 77));
		close(fd);
		cr_assert(gt(int, (int)sb_links_read(links, path, target, sizeof target), 0));
		cr_expect(eq(str, target, i ? "/dev/zero" : "/dev/null"));
	}
}

/* More names than are remembered. */
Test(links, are_many)
{
	let_it_settle();
	for (int i = 0; i < 70000; i++) {
		char name[32];

		snprintf(name, sizeof name, "d/n%d", i);
		cr_assert(eq(str, (char *)what(name), "ENOENT"));
	}
	expect("d/link", "file");
}
