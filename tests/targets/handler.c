/*
 * handler DIR: opens in a loop while a SIGPROF storm interrupts it anywhere, and the handler opens
 * as well, on a small stack of its own.
 */
#include <signal.h>
#include <sys/time.h>

#include "tests/targets/expect.h"

#define IN_MAIN	   40000
#define IN_HANDLER 300

static const char *dir;
static volatile sig_atomic_t handled;
static char stack[16384];

static void on_profile(int unused)
{
	int saved = errno;
	char name[256];

	(void)unused;
	if (handled < IN_HANDLER) {
		open(missing_name(name, dir, "handler", (unsigned long)handled), O_RDONLY);
		open(missing_name(name, dir, "both", 0), O_RDONLY);
		handled++;
	}
	errno = saved;
}

int main(int argc, char **argv)
{
	const struct itimerval storm = {{0, 100}, {0, 100}}, calm = {{0, 0}, {0, 0}};
	struct sigaction action = {.sa_handler = on_profile, .sa_flags = SA_ONSTACK | SA_RESTART};
	stack_t alternate = {.ss_sp = stack, .ss_size = sizeof(stack)};
	unsigned long opened = 0;
	char name[256];

	if (argc != 2)
		return 2;
	dir = argv[1];
	sigaltstack(&alternate, NULL);
	sigaction(SIGPROF, &action, NULL);
	setitimer(ITIMER_PROF, &storm, NULL);
	for (; opened < IN_MAIN || handled < IN_HANDLER; opened++) {
		/* More rounds than that, should the timer be slow, are repeats. */
		open_wanting(missing_name(name, dir, "main", opened % IN_MAIN), O_RDONLY, ENOENT);
		open_wanting(missing_name(name, dir, "both", 0), O_RDONLY, ENOENT);
	}
	setitimer(ITIMER_PROF, &calm, NULL);
	for (unsigned long i = 0; i < IN_MAIN; i++)
		expect("open", ENOENT, missing_name(name, dir, "main", i));
	for (unsigned long i = 0; i < IN_HANDLER; i++)
		expect_count("open", ENOENT, 1, missing_name(name, dir, "handler", i));
	expect_count("open", ENOENT, opened + IN_HANDLER, missing_name(name, dir, "both", 0));
	return 0;
}
