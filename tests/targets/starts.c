/*
 * starts OPENS DIR: programs started in the odd ways: from memory (memfd), by a descriptor's name,
 * and by posix_spawn with file actions, which open and change directories in the child. DIR is made
 * by the caller, empty.
 */
#include <spawn.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/targets/expect.h"

extern char **environ;

static const char *dir;

static void wait_for(pid_t child, const char *what)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child || status)
		fail("child failed", what);
}

static int in_memory(const char *opens)
{
	int from = open(opens, O_RDONLY), to = memfd_create("opens", 0);
	struct stat st;

	if (from < 0 || to < 0 || fstat(from, &st))
		fail("memfd", opens);
	for (off_t left = st.st_size; left > 0;) {
		ssize_t n = sendfile(to, from, NULL, (size_t)left);

		if (n <= 0)
			fail("sendfile", opens);
		left -= n;
	}
	close(from);
	return to;
}

/* Each image opens a name of its own: that it was watched shows by it. */
static void from_memory(const char *opens)
{
	static const char *const ways[] = {"fexecve", "execveat", "by-name"};
	int fd = in_memory(opens);

	for (size_t i = 0; i < 3; i++) {
		char name[256], link[64];
		char *const argv[] = {(char *)"opens", (char *)"-2", name, NULL};
		pid_t child;

		snprintf(name, sizeof(name), "%s/%s", dir, ways[i]);
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		child = fork();
		if (!child) {
			if (i == 0)
				fexecve(fd, argv, environ);
			else if (i == 1)
				execveat(fd, "", argv, environ, AT_EMPTY_PATH);
			else
				execve(link, argv, environ);
			_exit(1);
		}
		wait_for(child, ways[i]);
	}
}

static void with_actions(const char *opens)
{
	char name[256], output[256], sub[256], copy[300];
	char *const argv[] = {(char *)"opens", (char *)"-2", name, NULL};
	posix_spawn_file_actions_t actions;
	pid_t child;
	int at = open(dir, O_RDONLY | O_DIRECTORY);

	snprintf(name, sizeof(name), "%s/spawned", dir);
	snprintf(sub, sizeof(sub), "%s/sub", dir);
	snprintf(copy, sizeof(copy), "%s/sub/program", dir);
	snprintf(output, sizeof(output), "%s/sub/output", dir);
	if (at < 0 || mkdir(sub, 0700) || symlink(opens, copy))
		fail("make", sub);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addfchdir_np(&actions, at);
	posix_spawn_file_actions_addchdir_np(&actions, "sub");
	posix_spawn_file_actions_addopen(&actions, 3, "output", O_WRONLY | O_CREAT, 0600);
	posix_spawn_file_actions_addopen(&actions, 4, "output", O_RDONLY, 0);
	expect("stat", 0, sub);
	expect("write", 0, output);
	expect("open", 0, output);
	expect("exec", 0, copy);
	if (posix_spawn(&child, "./program", &actions, NULL, argv, environ))
		fail("posix_spawn", copy);
	wait_for(child, copy);
	/* An action that fails: nothing is started. */
	posix_spawn_file_actions_addopen(&actions, 5, "nowhere/output", O_RDONLY, 0);
	snprintf(output, sizeof(output), "%s/sub/nowhere/output", dir);
	expect("open", ENOENT, output);
	if (posix_spawn(&child, opens, &actions, NULL, argv, environ) != ENOENT)
		fail("posix_spawn was to fail", output);
	posix_spawn_file_actions_destroy(&actions);
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	dir = argv[2];
	from_memory(argv[1]);
	with_actions(argv[1]);
	return 0;
}
