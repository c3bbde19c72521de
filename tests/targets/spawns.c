/*
 * spawns OPENS DIR: every way to start a program, where it differs from a plain exec: what the
 * shell of system() and popen() does, file actions, the search in PATH, scripts. DIR is made by the
 * caller and empty.
 */
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/targets/expect.h"

extern char **environ;

static const char *opens;
static const char *dir;

static const char *in_dir(const char *name)
{
	static char paths[8][512];
	static unsigned turn;
	char *path = paths[turn++ % 8];

	snprintf(path, sizeof(*paths), "%s/%s", dir, name);
	return path;
}

static const char *script(const char *name, const char *text, mode_t mode)
{
	const char *path = in_dir(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);

	if (fd < 0 || write(fd, text, strlen(text)) < 0 || fchmod(fd, mode))
		fail("write", path);
	close(fd);
	return path;
}

static void check(int good, const char *what)
{
	if (!good)
		fail("check", what);
}

static int status_of(pid_t pid)
{
	int status = -1;

	check(waitpid(pid, &status, 0) == pid, "waitpid");
	return status;
}

static void shell(void)
{
	char command[1024], line[1024];
	FILE *pipe;

	snprintf(command, sizeof(command), "exec '%s' -2 '%s'", opens, in_dir("by-system"));
	check(system(command) == 0, "system");
	check(system("exit 7") == 7 << 8, "system: status");
	check(system("kill -9 $$") == 9, "system: signal");
	check(system(NULL) != 0, "system: is there a shell");
	expect("exec", 0, "/bin/sh");
	snprintf(command, sizeof(command), "cat; '%s' -2 '%s'", opens, in_dir("by-popen"));
	fflush(stdout);
	pipe = popen(command, "w");
	check(pipe && fputs("through a pipe\n", pipe) >= 0 && pclose(pipe) == 0, "popen w");
	pipe = popen("echo read; exit 3", "re");
	check(pipe && fgets(line, sizeof(line), pipe) && !strcmp(line, "read\n"), "popen r");
	check(pclose(pipe) == 3 << 8, "pclose");
	errno = 0;
	check(!popen("true", "x") && errno == EINVAL, "popen: mode");
}

static void spawn_with_actions(void)
{
	char *const argv[] = {(char *)"opens", (char *)"-2", (char *)in_dir("by-spawn"), NULL};
	char *const named[] = {(char *)"nowhere-program", NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t set;
	char got[4096] = "";
	pid_t pid;
	int fd;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, in_dir("output"), O_WRONLY | O_CREAT, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 7);
	posix_spawn_file_actions_addclose(&actions, 7);
	posix_spawnattr_init(&attr);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(&attr, &set);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	check(!posix_spawn(&pid, opens, &actions, &attr, argv, environ), "posix_spawn");
	check(status_of(pid) == 0, "posix_spawn: status");
	fd = open(in_dir("output"), O_RDONLY);
	check(read(fd, got, sizeof(got) - 1) > 0 && !strncmp(got, "expect open 2", 13),
	      "file actions");
	close(fd);
	check(write(1, got, strlen(got)) > 0, "write");
	check(posix_spawn(&pid, "/nowhere/program", NULL, NULL, named, environ) == ENOENT,
	      "spawn ENOENT");
	expect("exec", ENOENT, "/nowhere/program");
	check(posix_spawnp(&pid, "nowhere-program", NULL, NULL, named, environ) == ENOENT,
	      "spawnp ENOENT");
	check(posix_spawn(&pid, "/etc/passwd", NULL, NULL, named, environ) == EACCES,
	      "spawn EACCES");
	expect("exec", EACCES, "/etc/passwd");
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attr);
}

/* Relative names are looked up where the file actions have taken the child. */
static void spawn_elsewhere(void)
{
	static const char *const names[] = {"by-chdir", "there/by-fchdir", "by-path"};
	int fd = open(dir, O_PATH | O_CLOEXEC);

	check(!mkdir(in_dir("there"), 0700) && fd >= 0, "mkdir");
	script("there/by-chdir", "#!/bin/sh\nexit 31\n", 0700);
	script("there/by-fchdir", "#!/bin/sh\nexit 31\n", 0700);
	script("there/by-path", "#!/bin/sh\nexit 31\n", 0700);
	setenv("PATH", ":/usr/bin:/bin", 1);
	for (int i = 0; i < 3; i++) {
		char *const argv[] = {(char *)names[i], NULL};
		posix_spawn_file_actions_t actions;
		char full[512];
		pid_t pid;

		posix_spawn_file_actions_init(&actions);
		posix_spawn_file_actions_addopen(&actions, 9, "/dev/null", O_RDONLY, 0);
		posix_spawn_file_actions_addchdir_np(&actions, dir);
		posix_spawn_file_actions_addchdir_np(&actions, "there");
		if (i == 1)
			posix_spawn_file_actions_addfchdir_np(&actions, fd);
		check(!(i == 2 ? posix_spawnp : posix_spawn)(&pid, names[i], &actions, NULL, argv,
							     environ),
		      names[i]);
		check(status_of(pid) == 31 << 8, names[i]);
		snprintf(full, sizeof(full), "%s/%s", i == 1 ? dir : in_dir("there"), names[i]);
		expect("exec", 0, full);
		posix_spawn_file_actions_addchdir_np(&actions, "/nowhere");
		check(posix_spawn(&pid, "x", &actions, NULL, argv, environ) == ENOENT, "nowhere");
		posix_spawn_file_actions_destroy(&actions);
	}
	close(fd);
}

static void exec_p(const char *name, int wanted_status, int wanted_errno)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		execlp(name, name, "argument", (char *)NULL);
		_exit(errno == wanted_errno ? 55 : 56);
	}
	status = status_of(pid);
	if (status != wanted_status << 8)
		fail("execvp had another outcome", name);
}

/* execvp remembers EACCES while it goes on, and gives what the kernel refuses to run to the shell.
 */
static void path_search(void)
{
	char path[1024];

	check(!mkdir(in_dir("first"), 0700) && !mkdir(in_dir("second"), 0700), "mkdir");
	script("first/denied", "#!/bin/sh\n", 0600);
	script("first/both", "#!/bin/sh\n", 0600);
	script("second/both", "#!/bin/sh\nexit 21\n", 0700);
	script("second/plain", "exit 22\n", 0700);
	script("second/empty", "", 0700);
	snprintf(path, sizeof(path), "%s:%s:/nowhere:%s:%s:/usr/bin:/bin", in_dir("first"),
		 in_dir("plain-file"), in_dir("second"), "");
	setenv("PATH", path, 1);
	script("plain-file", "", 0600);
	exec_p("denied", 55, EACCES);
	expect("exec", EACCES, in_dir("first/denied"));
	exec_p("both", 21, 0);
	expect("exec", EACCES, in_dir("first/both"));
	expect("exec", 0, in_dir("second/both"));
	exec_p("plain", 22, 0);
	expect("exec", ENOEXEC, in_dir("second/plain"));
	exec_p("empty", 0, 0);
	exec_p("no-such-program", 55, ENOENT);
	exec_p("", 55, ENOENT);
	exec_p(in_dir("second/plain"), 22, 0);
	unsetenv("PATH");
	exec_p("true", 0, 0);
}

/* The kernel opens what follows "#!", up to five deep; the hooks must say so in its place. */
static void interpreters(void)
{
	char text[1024];
	const char *inner, *middle, *outer;

	snprintf(text, sizeof(text), "#!%s -0\n", opens);
	inner = script("inner", text, 0700);
	snprintf(text, sizeof(text), "#! %s  \n", inner);
	middle = script("middle", text, 0700);
	snprintf(text, sizeof(text), "#!%s", middle);
	outer = script("outer", text, 0700);
	expect("exec", 0, outer);
	expect("exec", 0, middle);
	expect("exec", 0, inner);
	expect("exec", 0, opens);
	for (const char *const *way = (const char *const[]){inner, middle, outer, NULL}; *way;
	     way++) {
		pid_t pid = fork();

		if (!pid) {
			execl(*way, "named-otherwise", (char *)NULL);
			_exit(1);
		}
		check(status_of(pid) == 0, *way);
	}
	script("lost-interpreter", "#!/nowhere/interpreter\n", 0700);
	exec_p(in_dir("lost-interpreter"), 55, ENOENT);
	expect("exec", ENOENT, in_dir("lost-interpreter"));
}

/* By descriptor: the kernel hands a script /dev/fd/N, and a close-on-exec one is then not to be
 * found. */
static void by_descriptor(void)
{
	char *const argv[] = {(char *)"opens", (char *)"-2", (char *)in_dir("by-fexecve"), NULL};
	pid_t pid = fork();

	if (!pid) {
		int fd = open(opens, O_PATH | O_CLOEXEC);

		fexecve(fd, argv, environ);
		_exit(1);
	}
	check(status_of(pid) == 0, "fexecve");
	pid = fork();
	if (!pid) {
		int at = open(dir, O_PATH | O_DIRECTORY);

		execveat(at, "second/both", argv, environ, 0);
		_exit(1);
	}
	check(status_of(pid) == 21 << 8, "execveat");
	expect("exec", 0, in_dir("second/both"));
	check(fexecve(-1, argv, environ) == -1 && (errno == EINVAL || errno == EBADF),
	      "fexecve: EBADF");
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	opens = argv[1];
	dir = argv[2];
	setenv("PATH", "/usr/bin:/bin", 1);
	shell();
	spawn_with_actions();
	spawn_elsewhere();
	path_search();
	interpreters();
	by_descriptor();
	return 0;
}
