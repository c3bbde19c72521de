/*
 * parted DIR: needs user namespaces. Children that see other mounts from their first breath, by
 * clone and by clone3, open DIR/there/file: where DIR/there is something else for them alone.
 */
#include <err.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/targets/expect.h"

#define APART (CLONE_NEWUSER | CLONE_NEWNS)

static void in_child(const char *dir)
{
	char here[256], there[256];

	snprintf(here, sizeof here, "%s/here", dir);
	snprintf(there, sizeof there, "%s/there", dir);
	if (mount(here, there, NULL, MS_BIND, NULL) < 0)
		fail("mount", there);
	strcat(there, "/file");
	open_wanting(there, O_RDONLY, 0);
	_exit(0);
}

static void wait_for(long child, const char *what)
{
	int status;

	if (child < 0 || waitpid((pid_t)child, &status, 0) != child || status)
		fail(what, "child");
}

int main(int argc, char **argv)
{
	struct clone_args args = {.flags = APART, .exit_signal = SIGCHLD};
	char name[256];

	if (argc != 2)
		errx(2, "usage: parted DIR");
	/* Where we stand is known by now. */
	snprintf(name, sizeof name, "%s/here/file", argv[1]);
	open_wanting(name, O_RDONLY, 0);
	expect("open", 0, name);
	snprintf(name, sizeof name, "%s/there/file", argv[1]);
	expect_count("open", 0, 2, name);
	long child = syscall(SYS_clone, APART | SIGCHLD, NULL, NULL, NULL, NULL);
	if (child == 0)
		in_child(argv[1]);
	wait_for(child, "clone");
	child = syscall(SYS_clone3, &args, sizeof args);
	if (child == 0)
		in_child(argv[1]);
	wait_for(child, "clone3");
	return 0;
}
