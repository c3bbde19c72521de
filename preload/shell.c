/* system. The libc's own starts the shell from inside, past every hook: so it is done here anew. */
#include "preload/shell.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "preload/cancel.h"
#include "preload/exec.h"
#include "preload/export.h"
#include "preload/recorder.h"
#include "preload/spawn.h"
#include "preload/str.h"

#define SETSIGDEF    0x04 /* of spawn.h: the same in every libc */
#define SETSIGMASK   0x08
#define MASK_SIZE    8
#define STATUS_NONE  0x7f00 /* the shell could not be executed: as if it had exited with 127 */
#define DASHES_SINCE 38	    /* glibc 2.38 runs sh -c -- COMMAND */

SB_EXPORTED int system(const char *command);

/* The kernel's, the same on both machines. */
struct action {
	void *handler;
	unsigned long flags;
	void *restorer;
	unsigned long mask;
};

/* Interrupt and quit are ignored while any thread is in system: the first takes them, the last
 * gives them back. */
static struct {
	uint32_t lock;
	uint32_t users;
	struct action interrupt, quit;
} taken;

static void set_mask(int how, const unsigned long *mask, unsigned long *ret_old)
{
	(void)sb_raw(SYS_rt_sigprocmask, how, (long)mask, (long)ret_old, MASK_SIZE, 0, 0);
}

static void set_action(int number, const struct action *action, struct action *ret_old)
{
	(void)sb_raw(SYS_rt_sigaction, number, (long)action, (long)ret_old, MASK_SIZE, 0, 0);
}

/* Signals are blocked around the lock: no handler can find it held by its own thread. */
static void lock(void)
{
	while (__atomic_exchange_n(&taken.lock, 1, __ATOMIC_ACQUIRE))
		(void)sb_raw(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
}

static void unlock(void)
{
	__atomic_store_n(&taken.lock, 0, __ATOMIC_RELEASE);
}

static void take_signals(void)
{
	const struct action ignore = {.handler = (void *)1 /* SIG_IGN */};

	lock();
	if (!taken.users++) {
		set_action(SIGINT, &ignore, &taken.interrupt);
		set_action(SIGQUIT, &ignore, &taken.quit);
	}
	unlock();
}

static void give_signals(void)
{
	lock();
	if (!--taken.users) {
		set_action(SIGINT, &taken.interrupt, NULL);
		set_action(SIGQUIT, &taken.quit, NULL);
	}
	unlock();
}

static unsigned long bit(int number)
{
	return 1ul << (number - 1);
}

/* A libc sigset_t and posix_spawnattr_t: larger than any, opaque but for the first word. */
struct attributes {
	_Alignas(16) char attr[512];
	unsigned long mask[16], reset[16];
};

static bool fill_attributes(struct attributes *a, unsigned long mask)
{
	int (*init)(void *) = sb_next("posix_spawnattr_init");
	int (*set_sigmask)(void *, const void *) = sb_next("posix_spawnattr_setsigmask");
	int (*set_reset)(void *, const void *) = sb_next("posix_spawnattr_setsigdefault");
	int (*set_flags)(void *, short) = sb_next("posix_spawnattr_setflags");

	if (!init || !set_sigmask || !set_reset || !set_flags)
		return false;
	*a = (struct attributes){.mask = {mask}};
	if (taken.interrupt.handler != (void *)1)
		a->reset[0] |= bit(SIGINT);
	if (taken.quit.handler != (void *)1)
		a->reset[0] |= bit(SIGQUIT);
	return !init(a->attr) && !set_sigmask(a->attr, a->mask) && !set_reset(a->attr, a->reset) &&
	       !set_flags(a->attr, SETSIGDEF | SETSIGMASK);
}

void sb_shell_argv(const char **argv, const char *command)
{
	*argv++ = "sh";
	*argv++ = "-c";
	if (sb_glibc_minor() >= DASHES_SINCE)
		*argv++ = "--";
	*argv++ = command;
	*argv = NULL;
}

struct shell {
	int pid;
	unsigned long mask; /* the thread's own */
};

static long reap(const struct shell *shell, int *ret_status)
{
	long raw;

	do
		raw = sb_raw(SYS_wait4, shell->pid, (long)ret_status, 0, 0, 0, 0);
	while (raw == -EINTR);
	return raw;
}

/* The thread was cancelled while it waited: as libc has it, the shell goes with it. */
static void abandon(void *context)
{
	const unsigned long all = ~0ul;
	const struct shell *shell = context;
	int status;

	(void)sb_raw(SYS_kill, shell->pid, SIGKILL, 0, 0, 0, 0);
	(void)reap(shell, &status);
	set_mask(SIG_BLOCK, &all, NULL);
	give_signals();
	set_mask(SIG_SETMASK, &shell->mask, NULL);
}

/*
 * Until the shell has ended, but not reaped: so a cancellation, which may act just after that, can
 * name it still. What pthread_cleanup_push was before compilers could unwind is in every libc.
 */
static void await_end(struct shell *shell)
{
	static void (*push)(void *, void (*)(void *), void *);
	static void (*pop)(void *, int);
	struct {
		_Alignas(16) void *word[4];
	} buffer;
	int type;

	if (!push || !pop) {
		pop = sb_next("_pthread_cleanup_pop");
		push = sb_next("_pthread_cleanup_push");
	}
	if (!push || !pop)
		return;
	push(&buffer, abandon, shell);
	type = sb_cancel_begin();
	while (sb_raw(SYS_waitid, P_PID, shell->pid, 0, WEXITED | WNOWAIT, 0, 0) == -EINTR)
		continue;
	sb_cancel_end(type);
	pop(&buffer, 0);
}

static int run_shell(const char *command, unsigned long mask)
{
	struct shell shell = {.mask = mask};
	struct attributes a;
	const char *argv[SB_SHELL_ARGS];
	int error, status = -1;
	long raw;

	sb_shell_argv(argv, command);
	error = fill_attributes(&a, mask)
			? sb_spawn(&shell.pid, SB_SHELL, a.attr, (char *const *)argv, sb_environ())
			: ENOSYS;
	if (error) {
		sb_errno_set(error);
		return sb_is_glibc() ? STATUS_NONE : -1;
	}
	await_end(&shell);
	raw = reap(&shell, &status);
	if (raw != shell.pid) {
		sb_errno_set((int)-raw);
		return -1;
	}
	return status;
}

static void test_cancel(void)
{
	static void (*test)(void);

	if (!test)
		test = sb_next("pthread_testcancel");
	if (test)
		test();
}

int system(const char *command)
{
	static int (*next)(const char *);
	const unsigned long all = ~0ul, child = bit(SIGCHLD);
	unsigned long mask;
	int status;

	if (!next)
		next = sb_next("system");
	if (next && !sb_recorder_on())
		return next(command);
	if (!command)
		return sb_is_glibc() ? system("exit 0") == 0 : next ? next(NULL) : 0;
	test_cancel();
	set_mask(SIG_BLOCK, &all, &mask);
	take_signals();
	set_mask(SIG_SETMASK, (unsigned long[]){mask | child}, NULL);
	status = run_shell(command, mask);
	set_mask(SIG_BLOCK, &all, NULL);
	give_signals();
	set_mask(SIG_SETMASK, &mask, NULL);
	test_cancel();
	return status;
}
