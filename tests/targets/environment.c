/*
 * environment OPENS DIR: starts OPENS with an environment that has nothing of the tracer's in it,
 * in every way there is. Each must be traced.
 */
#include <spawn.h>
#include <sys/wait.h>

#include "tests/targets/expect.h"

extern char **environ;

static const char *opens;
static char *empty[] = {NULL};
static char *other[] = {(char *)"A=b", (char *)"LD_PRELOAD=", NULL};

static void start(const char *how, char *const *argv)
{
	pid_t pid;

	if (!strcmp(how, "clearenv")) {
		clearenv();
		execv(opens, argv);
	} else if (!strcmp(how, "environ-null")) {
		environ = NULL;
		execv(opens, argv);
	} else if (!strcmp(how, "environ-null-execvp")) {
		environ = NULL;
		execvp(opens, argv);
	} else if (!strcmp(how, "execle-empty")) {
		execle(opens, "opens", argv[1], argv[2], (char *)NULL, empty);
	} else if (!strcmp(how, "execve-null")) {
		execve(opens, argv, NULL);
	} else if (!strcmp(how, "execve-other")) {
		execve(opens, argv, other);
	} else if (!strcmp(how, "execvpe-other")) {
		execvpe(opens, argv, other);
	} else if (!strcmp(how, "fexecve-empty")) {
		fexecve(open(opens, O_RDONLY | O_CLOEXEC), argv, empty);
	} else if (!strcmp(how, "execveat-empty")) {
		execveat(AT_FDCWD, opens, argv, empty, 0);
	} else if (!strcmp(how, "posix_spawn-empty")) {
		if (!posix_spawn(&pid, opens, NULL, NULL, argv, empty))
			_exit(waitpid(pid, NULL, 0) != pid);
	} else if (!strcmp(how, "posix_spawnp-null")) {
		if (!posix_spawnp(&pid, opens, NULL, NULL, argv, NULL))
			_exit(waitpid(pid, NULL, 0) != pid);
	} else {
		putenv((char *)"LD_PRELOAD");
		putenv((char *)"LD_AUDIT");
		execv(opens, argv);
	}
	_exit(1);
}

int main(int argc, char **argv)
{
	static const char *const ways[] = {
		"clearenv",	  "environ-null",      "environ-null-execvp", "execle-empty",
		"execve-null",	  "execve-other",      "execvpe-other",	      "fexecve-empty",
		"execveat-empty", "posix_spawn-empty", "posix_spawnp-null",   "unset"};
	size_t count = sizeof(ways) / sizeof(*ways);

	if (argc != 3)
		return 2;
	opens = argv[1];
	for (size_t i = 0; i < count; i++) {
		char name[256];
		char *const child_argv[] = {(char *)"opens", (char *)"-2", name, NULL};
		pid_t child;
		int status;

		snprintf(name, sizeof(name), "%s/%s", argv[2], ways[i]);
		child = fork();
		if (!child)
			start(ways[i], child_argv);
		if (waitpid(child, &status, 0) != child || status)
			fail("child failed", ways[i]);
	}
	expect_count("exec", 0, count, opens);
	return 0;
}
