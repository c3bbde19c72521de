#include "tracer/standby.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/cleanup.h"
#include "common/log.h"
#include "tracer/listener.h"
#include "tracer/trace.h"

/* Where its descriptors lie: below them and above is nothing. */
#define LISTENER_AT 0
#define PIPE_AT	    1
#define SAY_AT	    STDERR_FILENO
#define TRACE_AT    3

/* Ids are given one after the other; we may have ended between taking one and noting it. */
#define IDS_AROUND 1024u

static void close_from(int first)
{
	long most = sysconf(_SC_OPEN_MAX);

#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, ~0U, 0) == 0)
		return;
#endif
	for (int fd = first; fd < (most > 0 ? most : 1024); fd++)
		(void)close(fd);
}

/* False: it cannot be done. */
static bool move_in(int listener, int pipe, int trace)
{
	/* Out of the way of each other first. */
	int a = fcntl(listener, F_DUPFD, TRACE_AT + 1), b = fcntl(pipe, F_DUPFD, TRACE_AT + 1);
	int c = trace < 0 ? -1 : fcntl(trace, F_DUPFD, TRACE_AT + 1);

	if (c < 0)
		close(TRACE_AT);
	else if (dup2(c, TRACE_AT) < 0)
		return false;
	return a >= 0 && b >= 0 && dup2(a, LISTENER_AT) >= 0 && dup2(b, PIPE_AT) >= 0;
}

static void answer(struct sb_listener_room *room)
{
	struct pollfd listener = {LISTENER_AT, POLLIN, 0};

	for (;;) {
		if (poll(&listener, 1, -1) < 0)
			return;
		/* Nobody is left. */
		if (!(listener.revents & POLLIN))
			return;
		if (sb_listener_take(LISTENER_AT, room) == 0)
			(void)sb_listener_continue(LISTENER_AT, room, room->notif->id);
	}
}

/* What was taken and not answered is shown to nobody again. Ids that wait no more are refused. */
static void answer_taken(struct sb_listener_room *room, uint64_t taken)
{
	for (uint64_t id = taken - IDS_AROUND; id != taken + IDS_AROUND; id++)
		(void)sb_listener_continue(LISTENER_AT, room, id);
}

/*
 * Nobody else is left to tell the user: the shell says "Killed", and the command goes on. By a
 * child, since what reads there may be slow, and calls wait for us.
 */
static void say_so(void)
{
	struct pollfd listener = {LISTENER_AT, POLLIN, 0};

	/* It was killed, too. */
	if (poll(&listener, 1, 0) > 0 && !(listener.revents & POLLIN))
		return;
	(void)signal(SIGCHLD, SIG_IGN); /* nobody waits for it */
	if (fork() != 0)
		return;
	close(LISTENER_AT);
	sb_log(SB_LOG_WARN,
	       "the tracer was killed: the command runs on, and what it does from now on is not in "
	       "the trace (process %d answers its system calls until it has ended)",
	       (int)getppid());
	_exit(0);
}

/* Not as agreed. */
static void note_death(void)
{
	(void)sb_trace_note_death(TRACE_AT, (int64_t)time(NULL)); /* it says what it says then */
	say_so();
}

static void stand_by(int listener, int pipe, int trace, const struct sb_standby_shared *shared)
{
	struct pollfd end = {PIPE_AT, 0, 0};
	struct sb_listener_room room;
	sigset_t all;

	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	/* Neither the terminal nor a file system is to wait for it. */
	if (setsid() < 0 || chdir("/") < 0 || !move_in(listener, pipe, trace) ||
	    sb_listener_room(&room) < 0)
		_exit(1);
	close_from(TRACE_AT + 1);
	(void)prctl(PR_SET_NAME, "sb-standby");
	(void)poll(&end, 1, -1);
	answer_taken(&room, __atomic_load_n(&shared->taken, __ATOMIC_ACQUIRE));
	if (!__atomic_load_n(&shared->left, __ATOMIC_ACQUIRE))
		note_death();
	close(TRACE_AT);
	close(SAY_AT);
	answer(&room);
	_exit(0);
}

int sb_standby_start(int listener, int trace, struct sb_standby *ret)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	auto_fd int ours = ends[1];
	auto_fd int its = ends[0];
	struct sb_standby_shared *shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
						MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	pid_t pid = fork();
	if (pid < 0) {
		int failed = errno;

		(void)munmap(shared, sizeof *shared);
		return -failed;
	}
	if (pid == 0) {
		close(sb_steal_fd(&ours));
		stand_by(listener, its, trace, shared);
	}
	*ret = (struct sb_standby){pid, sb_steal_fd(&ours), shared};
	return 0;
}

void sb_standby_leave(struct sb_standby *standby)
{
	if (standby->shared)
		__atomic_store_n(&standby->shared->left, true, __ATOMIC_RELEASE);
	sb_closep(&standby->pipe);
	if (standby->shared)
		(void)munmap(standby->shared, sizeof *standby->shared);
	*standby = (struct sb_standby)SB_STANDBY_INIT;
}

void sb_standby_end(struct sb_standby *standby)
{
	if (standby->pid && kill(standby->pid, SIGKILL) == 0)
		(void)waitpid(standby->pid, NULL, 0);
	sb_standby_leave(standby);
}
