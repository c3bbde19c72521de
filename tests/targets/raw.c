/*
 * raw OPENS DIR: system calls by an instruction of its own, as Go and others make them: no libc in
 * between. Names lie where a careless reader trips: at the very end of a page with nothing behind
 * it, across two pages, unaligned. DIR is made by the caller, empty.
 */
#include <linux/openat2.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "tests/targets/expect.h"
#include "tests/targets/raw_call.h"

static char dir[256], buf[4096];
static int at;

static void wanting(long got, int outcome, const char *what)
{
	if (outcome ? got != -outcome : got < 0) {
		errno = got < 0 ? (int)-got : 0;
		fail("another outcome", what);
	}
}

static const char *in_dir(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

/* Says it, does it: CALL("stat", ENOENT, "name", newfstatat, ...). */
#define CALL(kind, outcome, name, nr, a, b, c, d)                                                \
	do {                                                                                     \
		expect_count(kind, outcome, 0, in_dir(name));                                    \
		wanting(raw(SYS_##nr, (long)(a), (long)(b), (long)(c), (long)(d), 0), (outcome), \
			#nr " " name);                                                           \
	} while (0)

static void opens(void)
{
	struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH};

	CALL("write", 0, "made", openat, at, "made", O_WRONLY | O_CREAT, 0600);
	CALL("open", 0, "made", openat, at, "made", O_RDONLY, 0);
	CALL("open", ENOENT, "none", openat, AT_FDCWD, in_dir("none"), O_RDONLY, 0);
	expect("open", 0, in_dir("by-openat2"));
	wanting(raw(SYS_openat, at, (long)"by-openat2", O_WRONLY | O_CREAT, 0600, 0), 0, "openat");
	wanting(raw(SYS_openat2, at, (long)"by-openat2", (long)&how, sizeof(how), 0), 0, "openat2");
	/* It leads out of the directory: refused. */
	wanting(raw(SYS_openat2, at, (long)"../x", (long)&how, sizeof(how), 0), EXDEV, "openat2");
#ifdef SYS_open
	CALL("open", ENOENT, "by-open", open, in_dir("by-open"), O_RDONLY, 0, 0);
	CALL("write", 0, "by-creat", creat, in_dir("by-creat"), 0600, 0, 0);
#endif
	CALL("write", 0, "sub", mkdirat, at, "sub", 0700, 0);
	CALL("write", 0, "sub/x", symlinkat, "target", at, "sub/x", 0);
	CALL("readlink", 0, "sub/x", readlinkat, at, "sub/x", buf, sizeof(buf));
	expect("list", 0, dir);
	wanting(raw(SYS_getdents64, at, (long)buf, sizeof(buf), 0, 0), 0, "getdents64");
}

static void looks(void)
{
	CALL("stat", 0, "made", newfstatat, at, "made", buf, 0);
	CALL("stat", ENOENT, "none", newfstatat, at, "none", buf, AT_SYMLINK_NOFOLLOW);
	expect("stat", ENOENT, in_dir("by-statx"));
	wanting(raw(SYS_statx, at, (long)"by-statx", 0, STATX_MODE, (long)buf), ENOENT, "statx");
	CALL("stat", ENOENT, "by-access", faccessat, at, "by-access", F_OK, 0);
	CALL("write", 0, "made", truncate, in_dir("made"), 3, 0, 0);
	CALL("write", 0, "made", unlinkat, at, "made", 0, 0);
	expect("write", ENOENT, in_dir("renamed-to"));
	expect("write", ENOENT, in_dir("renamed"));
	wanting(raw(SYS_renameat2, at, (long)"renamed", at, (long)"renamed-to", 0), ENOENT,
		"renameat2");
}

static void sockets(void)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s", in_dir("socket"));
	expect("connect", ENOENT, name.sun_path);
	wanting(raw(SYS_connect, fd, (long)&name, sizeof(name), 0, 0), ENOENT, "connect");
	close(fd);
}

/* Two pages and none behind them. */
static void places(void)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *area =
		mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	static const char *const names[] = {"at-the-end", "across-pages", "odd"};

	if (area == MAP_FAILED || mprotect(area + 2 * page, page, PROT_NONE))
		fail("mmap", "");
	for (int i = 0; i < 3; i++) {
		const char *path = in_dir(names[i]);
		size_t len = strlen(path) + 1;
		char *place = i == 0 ? area + 2 * page - len : i == 1 ? area + page - 5 : area + 1;

		memcpy(place, path, len);
		expect("open", ENOENT, path);
		wanting(raw(SYS_openat, AT_FDCWD, (long)place, O_RDONLY, 0, 0), ENOENT, names[i]);
	}
	/* No NUL before the memory ends: the call fails, and is nothing to tell. */
	memset(area, 'x', 2 * page);
	wanting(raw(SYS_openat, AT_FDCWD, (long)(area + 2 * page - 7), O_RDONLY, 0, 0), EFAULT,
		"unterminated");
}

static void moves(void)
{
	CALL("stat", 0, "sub", chdir, in_dir("sub"), 0, 0, 0);
	CALL("open", ENOENT, "sub/here", openat, AT_FDCWD, "here", O_RDONLY, 0);
	wanting(raw(SYS_fchdir, at, 0, 0, 0, 0), 0, "fchdir");
	CALL("open", ENOENT, "there", openat, AT_FDCWD, "there", O_RDONLY, 0);
}

static void execs(const char *program)
{
	const char *argv[] = {"opens", "-2", in_dir("image"), NULL};
	const char *envp[] = {NULL};
	int status;
	pid_t child = fork();

	expect("exec", 0, program);
	if (!child) {
		raw(SYS_execve, (long)program, (long)argv, (long)envp, 0, 0);
		_exit(1);
	}
	if (waitpid(child, &status, 0) != child || status)
		fail("execve", program);
	expect("exec", ENOENT, in_dir("no-program"));
	wanting(raw(SYS_execveat, at, (long)"no-program", (long)argv, (long)envp, 0), ENOENT,
		"execveat");
}

int main(int argc, char **argv)
{
	if (argc != 3)
		return 2;
	snprintf(dir, sizeof(dir), "%s", argv[2]);
	at = open(dir, O_RDONLY | O_DIRECTORY);
	opens();
	looks();
	sockets();
	places();
	moves();
	execs(argv[1]);
	return 0;
}
