#include "tracer/child.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "common/cleanup.h"
#include "common/path.h"

/* Passed on when sent to us alone; consumed when they come from the terminal: the command had those
 * as well, and its own stop tells us when to stop. */
static const int passed_on[] = {SIGHUP,	 SIGINT,  SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
				SIGALRM, SIGCONT, SIGTSTP, SIGTTIN, SIGTTOU};

#define COUNT(a) (sizeof(a) / sizeof *(a))

static const char *env_value(char *const *envp, const char *name)
{
	size_t len = strlen(name);

	for (; envp && *envp; envp++)
		if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
			return *envp + len + 1;
	return NULL;
}

/* 0, or why this file is not the one. */
static int executable(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -ENOENT; /* a directory in PATH that is closed to us has nothing for us */
	if (!S_ISREG(st.st_mode))
		return -EACCES;
	return eaccess(path, X_OK) < 0 ? -errno : 0;
}

static int absolute(struct sb_buf *ret, const char *path, struct sb_err *err)
{
	char cwd[PATH_MAX] = "/";

	if (path[0] != '/' && !getcwd(cwd, sizeof cwd))
		return sb_fail(err, errno, "find the working directory");
	sb_buf_cut(ret, 0);
	return sb_path_absolute(ret, cwd, path) < 0 ? sb_fail(err, ENOMEM, "find '%s'", path) : 0;
}

int sb_child_find(const char *name, char *const *envp, struct sb_buf *ret, struct sb_err *err)
{
	const char *path = env_value(envp, "PATH");
	int refused = -ENOENT;

	if (strchr(name, '/')) {
		int rc = access(name, F_OK) < 0 ? -errno : executable(name);

		return rc < 0 ? sb_fail(err, -rc, "start '%s'", name) : absolute(ret, name, err);
	}
	/* What glibc takes where PATH is not set. */
	for (const char *p = path ? path : "/bin:/usr/bin"; *name; p++) {
		size_t len = strcspn(p, ":");
		auto_buf full = SB_BUF_INIT;

		/* An empty element is the working directory. */
		if (sb_buf_add(&full, p, len) < 0 || (len && sb_buf_putc(&full, '/') < 0) ||
		    sb_buf_puts(&full, name) < 0)
			return sb_fail(err, ENOMEM, "find '%s'", name);
		int rc = executable(full.s);
		if (rc == 0)
			return absolute(ret, full.s, err);
		if (rc == -EACCES)
			refused = rc;
		p += len;
		if (!*p)
			break;
	}
	return refused == -EACCES ? sb_fail(err, EACCES, "start '%s'", name)
				  : sb_fail(err, ENOENT, "find '%s' in PATH", name);
}

void sb_child_signals(sigset_t *ret)
{
	sigemptyset(ret);
	for (size_t i = 0; i < COUNT(passed_on); i++)
		sigaddset(ret, passed_on[i]);
}

void sb_child_prepare(struct sb_child *child)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN}, standard = {.sa_handler = SIG_DFL};
	sigset_t set;

	*child = (struct sb_child){.prepared = true};
	sb_child_signals(&set);
	sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, &child->mask);
	/* Ignored by whoever started us, it would take the command's status away from us. */
	(void)sigaction(SIGCHLD, &standard, &child->chld);
	/* The trace is to be closed even where its disk is full. */
	(void)sigaction(SIGPIPE, &ignore, &child->pipe);
	(void)sigaction(SIGXFSZ, &ignore, &child->xfsz);
	(void)getrlimit(RLIMIT_FSIZE, &child->file_size);
}

void sb_child_finish(struct sb_child *child)
{
	static const struct timespec now;
	sigset_t set;

	sb_child_signals(&set);
	while (child->prepared && sigtimedwait(&set, NULL, &now) > 0)
		continue;
	sb_child_restore(child);
}

void sb_child_restore(struct sb_child *child)
{
	if (!child->prepared)
		return;
	(void)sigaction(SIGCHLD, &child->chld, NULL);
	(void)sigaction(SIGPIPE, &child->pipe, NULL);
	(void)sigaction(SIGXFSZ, &child->xfsz, NULL);
	(void)setrlimit(RLIMIT_FSIZE, &child->file_size);
	(void)sigprocmask(SIG_SETMASK, &child->mask, NULL);
	child->prepared = false;
}

/* execvp's way with a script that lacks its first line. */
static int exec_by_shell(const char *path, char *const *argv, char *const *envp)
{
	size_t n = 0;

	while (argv[n])
		n++;
	char **args = calloc(n + 3, sizeof *args);
	if (!args)
		return ENOMEM;
	args[0] = (char *)(uintptr_t) "/bin/sh";
	args[1] = (char *)(uintptr_t)path;
	for (size_t i = 1; i < n; i++)
		args[i + 1] = argv[i];
	(void)execve(args[0], args, envp);
	return errno;
}

/* What goes up the pipe where the command was not reached. */
struct failure {
	int code;
	int hook; /* it was the backend's */
};

/* In the child: never returns. */
static void become(struct sb_child *child, const char *path, char *const *argv, char *const *envp,
		   bool apart, int report)
{
	struct failure failed = {0};

	if (apart) {
		int null = open("/dev/null", O_RDONLY);

		if (null < 0 || dup2(null, STDIN_FILENO) < 0 ||
		    dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
			failed.code = errno;
		if (null > STDERR_FILENO)
			close(null);
	}
	sb_child_restore(child);
	if (!failed.code && child->hooks && child->hooks->inside) {
		failed.code = -child->hooks->inside(child->hooks->arg);
		failed.hook = failed.code != 0;
	}
	if (!failed.code) {
		(void)execve(path, argv, envp);
		failed.code = errno == ENOEXEC ? exec_by_shell(path, argv, envp) : errno;
	}
	(void)!write(report, &failed, sizeof failed); /* nobody is left to be told */
	_exit(127);
}

/* The parent's side, until the command is reached or given up. */
static int accompany(const struct sb_child *child, pid_t pid, int up, const char *path,
		     struct sb_err *err)
{
	const struct sb_child_hooks *hooks = child->hooks;
	struct failure failed = {0};
	int rc = hooks && hooks->beside ? hooks->beside(hooks->arg, pid, up, err) : 0;

	if (rc < 0) {
		(void)kill(pid, SIGKILL);
		return rc;
	}
	if (read(up, &failed, sizeof failed) != (ssize_t)sizeof failed || !failed.code)
		return 0;
	if (failed.hook)
		return sb_fail(err, SB_ESAID, "start '%s': %s: %s", path, hooks->what,
			       strerror(failed.code));
	return sb_fail(err, failed.code, "start '%s'", path);
}

int sb_child_start(struct sb_child *child, const char *path, char *const *argv, char *const *envp,
		   bool apart, struct sb_err *err)
{
	int pipes[2];

	if (pipe2(pipes, O_CLOEXEC) < 0)
		return sb_fail(err, errno, "start '%s': make a pipe", path);
	auto_fd int up = pipes[0];
	auto_fd int down = pipes[1];
	pid_t pid = fork();
	if (pid < 0)
		return sb_fail(err, errno, "start '%s'", path);
	if (pid == 0)
		become(child, path, argv, envp, apart, down);
	close(sb_steal_fd(&down));
	int rc = accompany(child, pid, up, path, err);
	if (rc < 0)
		(void)waitpid(pid, NULL, __WALL); /* a hook may have done it */
	else
		child->pid = pid;
	return rc;
}

/* Whether a shell with job control looks after us: then it must see us stop. */
static bool in_foreground(void)
{
	auto_fd int tty = open("/dev/tty", O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return tty >= 0 && tcgetpgrp(tty) == getpgrp();
}

/*
 * Stops as the command did, and continues it when we are continued. A SIGSTOP where there is no
 * shell to see it was sent by somebody who will continue the command, not us.
 */
void sb_child_stopped(struct sb_child *child, int sig)
{
	sigset_t one;

	if (sig == SIGSTOP && !in_foreground())
		return;
	sigemptyset(&one);
	sigaddset(&one, sig);
	(void)raise(sig);
	/* Blocked so far: this is where we stop. */
	(void)sigprocmask(SIG_UNBLOCK, &one, NULL);
	if (sig != SIGSTOP)
		(void)sigprocmask(SIG_BLOCK, &one, NULL);
	(void)kill(child->pid, SIGCONT);
}

void sb_child_signalled(struct sb_child *child, int sig, int si_code)
{
	if (!child->pid) {
		child->told_to_end |=
			sig == SIGINT || sig == SIGTERM || sig == SIGHUP || sig == SIGQUIT;
		return;
	}
	/* From the terminal, or from the kernel: the command had it as well. */
	if (si_code > 0)
		return;
	for (size_t i = 0; i < COUNT(passed_on); i++)
		if (sig == passed_on[i])
			(void)kill(child->pid, sig);
}

/* 1: ended. */
static int look_at(struct sb_child *child, int *ret_status)
{
	int status;
	pid_t got;

	while ((got = waitpid(child->pid, &status, WNOHANG | WUNTRACED)) == child->pid) {
		if (!WIFSTOPPED(status)) {
			child->pid = 0;
			*ret_status = status;
			return 1;
		}
		sb_child_stopped(child, WSTOPSIG(status));
	}
	return 0;
}

int sb_child_wait(struct sb_child *child, double seconds, int *ret_status)
{
	struct timespec patience = {.tv_sec = (time_t)seconds,
				    .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
	siginfo_t info;
	sigset_t set;

	if (child->pid && look_at(child, ret_status))
		return 1;
	sb_child_signals(&set);
	sigaddset(&set, SIGCHLD);
	if (sigtimedwait(&set, &info, &patience) > 0)
		sb_child_signalled(child, info.si_signo, info.si_code);
	return child->pid ? look_at(child, ret_status) : 0;
}
