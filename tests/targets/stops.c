/*
 * stops DIR: a child that stops itself over and over, by SIGSTOP and SIGTSTP, between opens; its
 * parent sees each stop and each continuation, once, as it would without a tracer. Then one that is
 * stopped by its parent in the middle of its work, and is killed while it is stopped.
 */
#include <signal.h>
#include <sys/wait.h>

#include "tests/targets/expect.h"

#define STOPS 40

static const char *dir;
static int seen[2]; /* a pipe: the parent saw the continuation; the next stop would take it back */

static void wait_for(pid_t child, int options, int want)
{
	int status;

	if (waitpid(child, &status, options) != child)
		fail("waitpid", dir);
	if (status != want) {
		errno = status;
		fail("another status", dir);
	}
}

static void stop_itself(void)
{
	char name[256];

	for (unsigned long i = 0; i < STOPS; i++) {
		open_expecting(missing_name(name, dir, "stop", i), ENOENT);
		raise(i % 2 ? SIGSTOP : SIGTSTP);
		if (read(seen[0], name, 1) != 1)
			fail("read", dir);
	}
	_exit(3);
}

static void by_itself(void)
{
	pid_t child;

	if (pipe(seen))
		fail("pipe", dir);
	child = fork();
	if (!child)
		stop_itself();
	for (unsigned long i = 0; i < STOPS; i++) {
		wait_for(child, WUNTRACED, (i % 2 ? SIGSTOP : SIGTSTP) << 8 | 0x7f);
		if (waitpid(child, NULL, WNOHANG | WUNTRACED) != 0)
			fail("told twice", dir);
		kill(child, SIGCONT);
		wait_for(child, WCONTINUED, 0xffff);
		if (write(seen[1], "", 1) != 1)
			fail("write", dir);
	}
	wait_for(child, 0, 3 << 8);
}

static void by_parent(void)
{
	char name[256];
	pid_t child = fork();

	if (!child)
		for (;;)
			open(missing_name(name, dir, "busy", 0), O_RDONLY);
	expect("open", ENOENT, missing_name(name, dir, "busy", 0));
	for (int i = 0; i < STOPS; i++) {
		usleep(1000);
		kill(child, SIGSTOP);
		wait_for(child, WUNTRACED, SIGSTOP << 8 | 0x7f);
		if (i + 1 < STOPS) {
			kill(child, SIGCONT);
			wait_for(child, WCONTINUED, 0xffff);
		}
	}
	kill(child, SIGKILL);
	wait_for(child, 0, SIGKILL);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	dir = argv[1];
	signal(SIGTSTP, SIG_DFL);
	/* An orphaned group would not stop by SIGTSTP: the children's parent is in the session. */
	setpgid(0, 0);
	by_itself();
	by_parent();
	return 0;
}
