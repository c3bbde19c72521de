#include "launcher/monitor.h"

#include <errno.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

void launch_monitor_block(struct launch_monitor *ret)
{
	struct sigaction old = {.sa_handler = SIG_DFL};
	sigset_t all;

	sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, &ret->mask);
	(void)sigaction(SIGCHLD, NULL, &old);
	ret->ignore_children = old.sa_handler == SIG_IGN;
	(void)signal(SIGCHLD, SIG_DFL);
}

void launch_monitor_unblock(const struct launch_monitor *monitor)
{
	(void)sigprocmask(SIG_SETMASK, &monitor->mask, NULL);
}

/* The terminal's own signals go to the whole process group: the program has had it already. */
static bool is_of_terminal(const siginfo_t *info)
{
	switch (info->si_signo) {
	case SIGINT:
	case SIGQUIT:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
	case SIGHUP:
	case SIGWINCH:
		return info->si_code == SI_KERNEL;
	default:
		return false;
	}
}

/* True: *ret_status is the program's end. Others are orphans that the kernel gave to us. */
static bool reap(pid_t program, int *ret_status)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
		if (pid != program)
			continue;
		if (!WIFSTOPPED(status)) {
			*ret_status = status;
			return true;
		}
		/* Whoever waits for us is to see it stop; SIGCONT is to wake us both. */
		(void)kill(getpid(), SIGSTOP);
	}
	if (pid < 0 && errno == ECHILD) {
		*ret_status = 125 << 8;
		return true;
	}
	return false;
}

int launch_monitor_follow(pid_t program)
{
	sigset_t all;
	siginfo_t info;
	int status;

	sigfillset(&all);
	/* It may have ended before we could know of it. */
	while (!reap(program, &status)) {
		if (sigwaitinfo(&all, &info) < 0 || info.si_signo == SIGCHLD)
			continue;
		/* One that it sent to its own group reaches us, too. */
		if (is_of_terminal(&info) || (info.si_code <= 0 && info.si_pid == program))
			continue;
		(void)kill(program, info.si_signo);
	}
	return status;
}

void launch_monitor_end(int status)
{
	const struct rlimit none = {0, 0};
	sigset_t one;

	if (WIFSIGNALED(status)) {
		/* Its own image is of interest, not ours. */
		(void)setrlimit(RLIMIT_CORE, &none);
		(void)signal(WTERMSIG(status), SIG_DFL);
		sigemptyset(&one);
		sigaddset(&one, WTERMSIG(status));
		(void)kill(getpid(), WTERMSIG(status));
		(void)sigprocmask(SIG_UNBLOCK, &one, NULL);
		_exit(128 + WTERMSIG(status));
	}
	_exit(WEXITSTATUS(status));
}
