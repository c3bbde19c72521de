/*
 * strays DIR: changes its directory past libc, and then goes on by libc: what relative names are
 * relative to has to be known all the same. DIR is made by the caller, empty and without a symlink
 * above it.
 */
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/targets/expect.h"
#include "tests/targets/raw_call.h"

static char here[512];

static const char *in(const char *name)
{
	static char path[1024];

	snprintf(path, sizeof(path), "%s/%s", here, name);
	return path;
}

/* By a descriptor, or by its name. */
static void move(const char *to, const char *name, bool by_name)
{
	int fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 ||
	    (by_name ? raw(SYS_chdir, (long)to, 0, 0, 0, 0) : raw(SYS_fchdir, fd, 0, 0, 0, 0)))
		fail("move", to);
	close(fd);
	strcat(here, name);
}

static void look(void)
{
	struct stat st;

	expect("open", ENOENT, in("none"));
	open_wanting("none", O_RDONLY, ENOENT);
	expect("stat", ENOENT, in("nothing"));
	if (!stat("nothing", &st))
		fail("stat was to fail", here);
}

int main(int argc, char **argv)
{
	char *const program[] = {"./program", NULL};
	int status;
	pid_t pid;

	if (argc != 2)
		return 2;
	strcpy(here, argv[1]);
	if (mkdir(in("one"), 0700) || mkdir(in("one/two"), 0700) ||
	    mkdir(in("one/two/three"), 0700))
		fail("mkdir", here);
	move(argv[1], "", true);
	look();
	move("one", "/one", true);
	look();
	/* Told by where it was given, though it is looked up before anything else was. */
	expect("stat", 0, in("two"));
	if (raw(SYS_chdir, (long)"/", 0, 0, 0, 0) || raw(SYS_chdir, (long)here, 0, 0, 0, 0) ||
	    chdir("two"))
		fail("chdir", here);
	strcat(here, "/two");
	look();
	pid = fork();
	if (pid == 0) {
		move("three", "/three", false);
		look();
		expect("exec", ENOENT, in("program"));
		execv(program[0], program);
		_exit(errno == ENOENT ? 0 : 1);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		fail("fork", here);
	look();
	return 0;
}
