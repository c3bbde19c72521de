/*
 * faults FILE LINK: passes the kernel pointers that lead nowhere, one after the other, and prints
 * what it says: the same with and without whoever stands in between. FILE and LINK are there.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define PAGE 4096

static void say(const char *what, long rc)
{
	printf("%s: %s\n", what, rc < 0 ? strerrorname_np(errno) : "fine");
}

/* Hidden from the compiler, which knows what may not be NULL. */
static char *volatile pointer;

static void pass(const char *name, char *bad)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/nowhere/at/all"};
	struct stat st;
	char buf[16];

	pointer = bad;
	printf("%s\n", name);
	say("stat", stat(pointer, &st));
	say("fstatat", fstatat(0, pointer, &st, AT_EMPTY_PATH));
	say("open", open(pointer, O_RDONLY));
	say("creat", open(pointer, O_WRONLY | O_CREAT, 0600));
	say("access", access(pointer, R_OK));
	say("readlink", readlink(pointer, buf, sizeof(buf)));
	say("chdir", chdir(pointer));
	say("unlink", unlink(pointer));
	say("rename", rename("absent", pointer));
	say("execve", execve(pointer, (char *[]){"a", NULL}, (char *[]){NULL}));
	say("openat2", syscall(SYS_openat2, AT_FDCWD, "/", pointer, 24));
	say("connect", connect(socket(AF_UNIX, SOCK_STREAM, 0), (void *)pointer, sizeof(address)));
	say("bind", bind(socket(AF_UNIX, SOCK_STREAM, 0), (void *)pointer, sizeof(address)));
}

/* Where what is read is fine, and what is written is not. */
static void pass_results(const char *file, const char *link, char *bad)
{
	char *args[] = {"a", NULL};

	printf("results\n");
	pointer = bad;
	say("stat", stat(file, (void *)pointer));
	say("readlink", readlink(link, pointer, 16));
	say("readlink of itself", readlink("/proc/self/exe", pointer, 16));
	say("readlink of its directory", readlink("/proc/self/cwd", pointer, 16));
	say("getcwd", syscall(SYS_getcwd, pointer, 4096));
	say("execve, arguments", execve(file, (char **)pointer, args + 1));
	say("execve, environment", execve(file, args, (char **)pointer));
	say("getsockname",
	    getsockname(socket(AF_UNIX, SOCK_STREAM, 0), (void *)pointer, &(socklen_t){16}));
	say("its length",
	    getsockname(socket(AF_UNIX, SOCK_STREAM, 0), (void *)args, (socklen_t *)pointer));
}

int main(int argc, char **argv)
{
	struct stat st;
	char *two =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t len;

	if (argc != 3 || two == MAP_FAILED)
		return 2;
	setvbuf(stdout, NULL, _IONBF, 0);
	pass("none", NULL);
	pass("the first page", (char *)1);
	pass("the last", (char *)-1);
	/* Known to be good, and then not any more. */
	len = strlen(argv[1]) + 1;
	memcpy(two + 2 * PAGE - len, argv[1], len);
	say("good", stat(two + 2 * PAGE - len, &st));
	mprotect(two + PAGE, PAGE, PROT_NONE);
	pass("forbidden", two + 2 * PAGE - len);
	memcpy(two + PAGE - len, argv[1], len);
	say("up to its end", stat(two + PAGE - len, &st));
	memset(two, '/', PAGE);
	pass("an end that may not be read", two + PAGE - 8);
	pass_results(argv[1], argv[2], two + PAGE);
	munmap(two, 2 * PAGE);
	pass("given back", two);
	return 0;
}
