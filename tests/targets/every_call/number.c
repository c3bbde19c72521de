/* By number, by socket, by the dynamic linker; and last what moves the process. */
#include "tests/targets/every_call/calls.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char buf[PATH_MAX];

#define NUMBER(name, ...) told(syscall(SYS_##name, __VA_ARGS__))

static void try_old_numbers(void)
{
#ifdef SYS_open
	CALL(closed((int)syscall(SYS_open, "file", O_RDONLY)), "open", "file");
	CALL(closed((int)syscall(SYS_creat, "number", 0600)), "write", "number");
	CALL(NUMBER(stat, "none", buf), "stat", "none");
	CALL(NUMBER(lstat, "dangling", buf), "stat", "dangling");
	CALL(NUMBER(access, "file", 0), "stat", "file");
	CALL(NUMBER(readlink, "link", buf, sizeof(buf)), "readlink", "link");
	CALL(NUMBER(mkdir, "dir", 0700), "write", "dir");
	CALL_TWO(NUMBER(rename, "dir", "dir2"), "write", "dir", "write", "dir2");
	CALL(NUMBER(rmdir, "dir2"), "write", "dir2");
	CALL_TWO(NUMBER(link, "file", "hard"), "stat", "file", "write", "hard");
	CALL(NUMBER(symlink, "x", "soft"), "write", "soft");
	CALL(NUMBER(unlink, "soft"), "write", "soft");
	CALL(NUMBER(chmod, "none", 0600), "write", "none");
	CALL(NUMBER(chown, "file", -1, -1), "write", "file");
	CALL(NUMBER(lchown, "link", -1, -1), "write", "link");
	CALL(NUMBER(utime, "none", NULL), "write", "none");
	CALL(NUMBER(utimes, "file", NULL), "write", "file");
	CALL(NUMBER(futimesat, at, "none", NULL), "write", "sub/none");
	CALL(NUMBER(mknod, "file", S_IFREG | 0600, 0), "write", "file");
#endif
}

static int pid_by_number(void)
{
	return syscall(SYS_getpid) == getpid() ? 0 : 1;
}

static int fork_by_number(void)
{
	int status;
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	if (pid == 0)
		_exit(closed(open("file", O_RDONLY)));
	return waitpid((pid_t)pid, &status, 0) == pid ? status : -1;
}

void try_numbers(void)
{
	const struct open_how how = {.flags = O_RDONLY};

	try_old_numbers();
	CALL(closed((int)syscall(SYS_openat, at, "inner", O_RDONLY)), "open", "sub/inner");
	CALL(closed((int)syscall(SYS_openat, at, "none", O_RDWR)), "open write", "sub/none");
	CALL(closed((int)syscall(SYS_openat2, at, "inner", &how, sizeof(how))), "open",
	     "sub/inner");
	QUIET(closed((int)syscall(SYS_openat2, at, "inner", 16, sizeof(how))));
	CALL(NUMBER(newfstatat, at, "inner", buf, 0), "stat", "sub/inner");
	CALL(NUMBER(statx, at, "none", 0, 1, buf), "stat", "sub/none");
	CALL(NUMBER(faccessat, at, "inner", 0), "stat", "sub/inner");
	CALL(NUMBER(faccessat2, at, "none", 0, AT_EACCESS), "stat", "sub/none");
	CALL(NUMBER(statfs, "file", buf), "stat", "file");
	CALL(NUMBER(getxattr, "none", "user.x", buf, 4), "stat", "none");
	CALL(NUMBER(llistxattr, "link", buf, 4), "stat", "link");
	CALL(NUMBER(readlinkat, at, "inner", buf, 9), "readlink", "sub/inner");
	QUIET(told(lseek(at, 0, SEEK_SET)));
	CALL(NUMBER(getdents64, at, buf, sizeof(buf)), "list", "sub");
	CALL(NUMBER(mkdirat, at, "dir", 0700), "write", "sub/dir");
	CALL(NUMBER(unlinkat, at, "dir", AT_REMOVEDIR), "write", "sub/dir");
	CALL(NUMBER(mknodat, at, "inner", S_IFREG | 0600, 0), "write", "sub/inner");
	CALL(NUMBER(symlinkat, "x", at, "inner"), "write", "sub/inner");
	CALL_TWO(NUMBER(renameat, at, "none", at, "none2"), "write", "sub/none", "write",
		 "sub/none2");
	CALL_TWO(NUMBER(renameat2, at, "none", at, "inner", 0), "write", "sub/none", "write",
		 "sub/inner");
	CALL_TWO(NUMBER(linkat, at, "none", at, "none2", 0), "stat", "sub/none", "write",
		 "sub/none2");
	CALL(NUMBER(truncate, "none", 1), "write", "none");
	CALL(NUMBER(fchmodat, at, "none", 0600), "write", "sub/none");
	CALL(NUMBER(fchownat, at, "inner", -1, -1, 0), "write", "sub/inner");
	CALL(NUMBER(utimensat, at, "inner", NULL, 0), "write", "sub/inner");
	CALL(NUMBER(setxattr, "none", "user.x", "1", 1, 0), "write", "none");
	CALL(NUMBER(lremovexattr, "none", "user.x"), "write", "none");
	CALL(fork_by_number(), "open", "file");
	QUIET(NUMBER(openat, at, 16, O_RDONLY));
	QUIET(pid_by_number());
	QUIET(NUMBER(seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL));
	QUIET(told(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0)));
	QUIET(told(prctl(PR_GET_DUMPABLE)));
}

static int spoken(int (*speak)(int, const struct sockaddr *, socklen_t), const char *path,
		  size_t len)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int outcome;

	memcpy(name.sun_path, path, len);
	outcome = told(speak(fd, (const struct sockaddr *)&name,
			     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)));
	close(fd);
	return outcome;
}

static int by_number(int fd, const struct sockaddr *name, socklen_t size)
{
	return (int)syscall(SYS_connect, fd, name, size);
}

void try_sockets(void)
{
	CALL(spoken(bind, "socket", sizeof("socket")), "write", "socket");
	CALL(spoken(bind, "none/socket", sizeof("none/socket")), "write", "none/socket");
	CALL(spoken(connect, "socket", sizeof("socket")), "connect", "socket");
	/* A path that does not end with a NUL. */
	CALL(spoken(connect, "none", 4), "connect", "none");
	CALL(spoken(by_number, "none", 4), "connect", "none");
	QUIET(spoken(connect, "\0abstract", 9));
	QUIET(told(connect(-1, (struct sockaddr *)16, 110)));
}

/* Whether it was found is in the trace; why not is in dlerror(), and no errno. */
static int loaded(void *handle)
{
	if (handle)
		dlclose(handle);
	return handle ? 0 : ENOENT;
}

void try_loads(void)
{
	(void)said("dlopen", loaded(dlopen("./none.so", RTLD_NOW)));
	wanted("search", ENOENT, "none.so");
	QUIET(loaded(dlopen(NULL, RTLD_NOW)));
#if defined(__GLIBC__) && !defined(OLD_GLIBC)
	(void)said("dlmopen", loaded(dlmopen(LM_ID_BASE, "./none2.so", RTLD_NOW)));
	wanted("search", ENOENT, "none2.so");
#endif
}

/* Relative names mean others afterwards. */
void try_moves(void)
{
	CALL(told(chdir("none")), "stat", "none");
	CALL(told(chroot("none")), "stat", "none");
	CALL(told(chdir("sub")), "stat", "sub");
	CALL(closed(open("inner", O_RDONLY)), "open", "sub/inner");
	CALL(NUMBER(chdir, ".."), "stat", "sub/..");
	CALL(closed(open("sub/inner", O_RDONLY)), "open", "sub/inner");
	QUIET(told(fchdir(at)));
	CALL(closed(open("inner", O_WRONLY)), "write", "sub/inner");
	QUIET(told(rename("none", "none2")));
	wanted("write", ENOENT, "sub/none");
	wanted("write", ENOENT, "sub/none2");
}
