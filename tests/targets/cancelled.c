// libs: -lpthread
/*
 * cancelled DIR: a thread that is cancelled in open(2) of a fifo without a writer, one in fopen(3),
 * one that is cancelled before it opens, and one that waits for system(3), whose shell must go with
 * it. All must end, with their clean-up handlers run. DIR is made by the caller.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>

#include "tests/targets/expect.h"

static char fifo[256], shell[256], command[512];
static int cleaned;
static pthread_barrier_t ready;

static void clean(void *unused)
{
	(void)unused;
	cleaned++;
}

static void *in_open(void *unused)
{
	pthread_cleanup_push(clean, NULL);
	pthread_barrier_wait(&ready);
	open(fifo, O_RDONLY);
	pthread_cleanup_pop(0);
	return unused;
}

/* libc's own call of open: no cancellation point by the standard, but one of libc's for ever. */
static void *in_fopen(void *unused)
{
	pthread_cleanup_push(clean, NULL);
	pthread_barrier_wait(&ready);
	(void)!fopen(fifo, "r");
	pthread_cleanup_pop(0);
	return unused;
}

static void *before_open(void *unused)
{
	int old;

	pthread_cleanup_push(clean, NULL);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
	pthread_cancel(pthread_self());
	pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &old);
	open("/nowhere/at-all", O_RDONLY);
	/* Not reached: opening is a cancellation point. */
	pthread_cleanup_pop(0);
	return unused;
}

static void *in_system(void *unused)
{
	pthread_cleanup_push(clean, NULL);
	pthread_barrier_wait(&ready);
	if (system(command))
		fail("system", command);
	pthread_cleanup_pop(0);
	return unused;
}

/* The shell has written down its number, and is no more; ^C is for us again. */
static void check_system(void)
{
	struct sigaction action;
	char line[32] = "";
	int fd = open(shell, O_RDONLY);

	if (fd < 0 || read(fd, line, sizeof(line) - 1) <= 0 || atoi(line) <= 1)
		fail("the shell did not start", shell);
	close(fd);
	if (!kill(atoi(line), 0))
		fail("the shell was left behind", line);
	if (sigaction(SIGINT, NULL, &action) || action.sa_handler != SIG_DFL)
		fail("SIGINT stays ignored", shell);
}

static void run(void *(*body)(void *), int cancel)
{
	pthread_t thread;
	void *result;

	if (pthread_create(&thread, NULL, body, NULL))
		fail("pthread_create", fifo);
	if (cancel) {
		pthread_barrier_wait(&ready);
		usleep(300000);
		pthread_cancel(thread);
	}
	if (pthread_join(thread, &result) || result != PTHREAD_CANCELED)
		fail("thread was not cancelled", fifo);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	snprintf(fifo, sizeof(fifo), "%s/fifo", argv[1]);
	if (mkfifo(fifo, 0600))
		fail("mkfifo", fifo);
	/* Whoever started us in the background may have had it ignored. */
	signal(SIGINT, SIG_DFL);
	pthread_barrier_init(&ready, NULL, 2);
	run(before_open, 0);
	alarm(10);
	run(in_open, 1);
	run(in_fopen, 1);
	snprintf(shell, sizeof(shell), "%s/shell", argv[1]);
	snprintf(command, sizeof(command), "echo $$ >'%s'; exec sleep 60", shell);
	run(in_system, 1);
	check_system();
	printf("cleaned %d\n", cleaned);
	return cleaned != 4;
}
