/*
 * state [PATH]: prints what a process can find out about itself without looking for a tracer:
 * descriptors, signals, limits, ids, environment, arguments, errno of calls that fail. Traced and
 * untraced output must be the same.
 */
#include <dirent.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/targets/expect.h"

extern char **environ;

static void descriptors(void)
{
	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD), status;
		struct stat st;

		if (flags < 0 || fstat(fd, &st))
			continue;
		status = fcntl(fd, F_GETFL);
		printf("fd %d: flags %d status %o type %o\n", fd, (unsigned)flags, (unsigned)status,
		       st.st_mode & S_IFMT);
	}
}

static void signals(void)
{
	sigset_t mask, pending;
	stack_t alternate;

	sigprocmask(SIG_BLOCK, NULL, &mask);
	sigpending(&pending);
	for (int sig = 1; sig < 65; sig++) {
		struct sigaction action;

		if (sigaction(sig, NULL, &action))
			continue;
		if (action.sa_handler != SIG_DFL || sigismember(&mask, sig) ||
		    sigismember(&pending, sig))
			printf("signal %d: %s, mask %d, pending %d\n", sig,
			       action.sa_handler == SIG_IGN   ? "ignored"
			       : action.sa_handler == SIG_DFL ? "default"
							      : "handled",
			       sigismember(&mask, sig), sigismember(&pending, sig));
	}
	sigaltstack(NULL, &alternate);
	printf("alternate stack: %d\n", alternate.ss_flags);
}

static void limits(void)
{
	for (int what = 0; what < RLIMIT_NLIMITS; what++) {
		struct rlimit lim;

		if (!getrlimit((unsigned)what, &lim))
			printf("limit %d: %llu %llu\n", what, (unsigned long long)lim.rlim_cur,
			       (unsigned long long)lim.rlim_max);
	}
}

static void process(void)
{
	mode_t mask = umask(0);
	char cwd[4096], name[32] = "";

	umask(mask);
	prctl(PR_GET_NAME, name);
	printf("umask %o, nice %d, dumpable %d\n", mask, getpriority(PRIO_PROCESS, 0),
	       prctl(PR_GET_DUMPABLE));
	printf("no_new_privs %d, seccomp %d\n", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
	       prctl(PR_GET_SECCOMP));
	printf("uid %d %d gid %d %d, tty %d, foreground %d\n", getuid(), geteuid(), getgid(),
	       getegid(), isatty(0), tcgetpgrp(0) == getpgrp());
	printf("cwd %s, name %s\n", getcwd(cwd, sizeof(cwd)) ? cwd : "?", name);
	printf("execfn %s, secure %lu\n", (const char *)getauxval(AT_EXECFN), getauxval(AT_SECURE));
}

#define TRY(what, call)                            \
	do {                                       \
		errno = 77;                        \
		long got_ = (long)(call);          \
		int errno_ = errno;                \
		printf("%s: %s, errno %d\n", what, \
		       got_ < 0 ? "-1"             \
		       : got_	? "not 0"          \
				: "0",               \
		       errno_);                    \
	} while (0)

/* 77 must survive what works. */
static void outcomes(const char *path)
{
	struct stat st;
	char buf[8];

	printf("errno at start %d\n", errno);
	TRY("open", open(path, O_RDONLY));
	TRY("fopen", fopen(path, "re"));
	TRY("opendir", opendir("/"));
	TRY("stat", stat(path, &st));
	TRY("system", system(NULL));
	TRY("open of nothing", open("/nowhere/x", O_RDONLY));
	TRY("open as directory", open(path, O_RDONLY | O_DIRECTORY));
	TRY("open exclusively", open("/", O_RDWR | O_CREAT | O_EXCL, 0600));
	TRY("stat of nothing", stat("/nowhere/x", &st));
	TRY("access with a bad mode", access(path, 0x70));
	TRY("readlink", readlink(path, buf, sizeof(buf)));
	TRY("readlink into no room", readlink("/proc/self/exe", buf, 0));
	TRY("mkdir", mkdir("/", 0700));
	TRY("rmdir", rmdir("/"));
	TRY("unlink", unlink("/nowhere/x"));
	TRY("rename", rename("/nowhere/x", "/nowhere/y"));
	TRY("chdir", chdir(path));
	TRY("fopen with a bad mode", fopen(path, "bad"));
	TRY("opendir of a file", opendir(path));
	TRY("realpath", realpath("/nowhere/x/y", NULL));
	TRY("freopen", freopen("/nowhere/x", "r", stdin));
	TRY("exec", execl("/nowhere/x", "x", (char *)NULL));
	TRY("exec of a directory", execl("/", "x", (char *)NULL));
	TRY("exec of no program", execl(path, "x", (char *)NULL));
}

int main(int argc, char **argv)
{
	int first = errno;

	setvbuf(stdout, NULL, _IOFBF, 65536);
	for (int i = 0; i < argc; i++)
		printf("argument %d: %s\n", i, argv[i]);
	for (char **var = environ; *var; var++)
		printf("variable %s\n", *var);
	printf("order of the environment: %d\n", environ == argv + argc + 1);
	descriptors();
	signals();
	limits();
	process();
	errno = first;
	outcomes(argc > 1 ? argv[1] : "/etc/passwd");
	return 42;
}
