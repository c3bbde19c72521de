#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tracer/forks.h"

#define TOLD_MOST 4096

/* Who was told of, in order. */
static struct sb_fork told[TOLD_MOST];
static size_t told_count;

static void tell(void *arg, const struct sb_fork *what)
{
	(void)arg;
	cr_assert(told_count < TOLD_MOST);
	told[told_count++] = *what;
}

static size_t count(enum sb_fork_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < told_count; i++)
		n += told[i].kind == kind;
	return n;
}

static struct sb_forks *open_or_skip(void)
{
	struct sb_err err = SB_ERR_INIT;
	struct sb_forks *forks = NULL;

	if (sb_forks_open(&forks, &err) < 0)
		cr_skip_test("%s", err.msg);
	return forks;
}

/* Runs `inside` as the root of a tree, and takes what is told until all of it has ended. */
static void follow(struct sb_forks *forks, void (*inside)(void))
{
	int gate[2], status;
	char go = 0;

	cr_assert(eq(int, pipe(gate), 0));
	pid_t pid = fork();
	if (pid == 0) {
		(void)!read(gate[0], &go, 1);
		inside();
		_exit(0);
	}
	sb_forks_root(forks, pid);
	cr_assert(eq(long, write(gate[1], &go, 1), 1));
	cr_assert(eq(int, waitpid(pid, &status, 0), pid));
	cr_assert(eq(int, status, 0));
	close(gate[0]);
	close(gate[1]);
	for (int i = 0; i < 500 && sb_forks_living(forks, NULL, 0); i++) {
		sb_forks_poll(forks, tell, NULL);
		usleep(10000);
	}
	cr_assert(eq(sz, sb_forks_living(forks, NULL, 0), 0));
	cr_assert(eq(u64, sb_forks_lost(forks), 0));
}

static void three_levels(void)
{
	for (int i = 0; i < 20; i++)
		if (fork() == 0) {
			if (fork() == 0)
				_exit(0); /* nobody waits for it: init does */
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
}

Test(forks, tells_of_each_child_after_its_parent)
{
	struct sb_forks *forks = open_or_skip();

	follow(forks, three_levels);
	cr_assert(eq(sz, count(SB_FORK_BORN), 40));
	cr_assert(eq(sz, count(SB_FORK_ENDED), 41));
	cr_assert(eq(sz, count(SB_FORK_EXEC), 0));
	/* The 20 whose parent is not the root: the parent was told of before, and had not ended. */
	size_t grandchildren = 0;
	for (size_t i = 0; i < told_count; i++)
		for (size_t j = 0; j < i && told[i].kind == SB_FORK_BORN; j++)
			grandchildren +=
				told[j].kind == SB_FORK_BORN && told[j].pid == told[i].parent;
	cr_assert(eq(sz, grandchildren, 20));
	sb_forks_free(forks);
}

static void executes(void)
{
	if (fork() == 0) {
		(void)execl("/bin/sh", "sh", "-c", "exec /bin/true", (char *)NULL);
		_exit(1);
	}
	if (fork() == 0) {
		(void)execl("/no/such/program", "x", (char *)NULL);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
}

Test(forks, tells_of_execs_that_worked)
{
	struct sb_forks *forks = open_or_skip();

	follow(forks, executes);
	cr_assert(eq(sz, count(SB_FORK_EXEC), 2));
	cr_assert(eq(sz, count(SB_FORK_BORN), 2));
	sb_forks_free(forks);
}

static void *nothing(void *arg)
{
	return arg;
}

static void has_threads(void)
{
	pthread_t thread[8];

	for (size_t i = 0; i < 8; i++)
		if (pthread_create(&thread[i], NULL, nothing, NULL))
			_exit(1);
	for (size_t i = 0; i < 8; i++)
		(void)pthread_join(thread[i], NULL);
}

Test(forks, takes_threads_for_what_they_belong_to)
{
	struct sb_forks *forks = open_or_skip();

	follow(forks, has_threads);
	cr_assert(eq(sz, count(SB_FORK_BORN), 0));
	cr_assert(eq(sz, count(SB_FORK_ENDED), 1));
	sb_forks_free(forks);
}

Test(forks, tells_of_nobody_else)
{
	struct sb_forks *forks = open_or_skip();

	for (int i = 0; i < 10; i++) {
		pid_t other = fork();

		if (other == 0)
			_exit(0);
		cr_assert(eq(int, waitpid(other, NULL, 0), other));
	}
	follow(forks, three_levels);
	cr_assert(eq(sz, count(SB_FORK_BORN), 40));
	cr_assert(not(sb_forks_has(forks, getpid())));
	sb_forks_free(forks);
}

Test(forks, takes_in_one_that_was_found_by_other_means)
{
	struct sb_forks *forks = open_or_skip();
	int gate[2];
	pid_t pids[4];

	cr_assert(eq(int, pipe(gate), 0));
	pid_t pid = fork();
	if (pid == 0) {
		char go;

		(void)!read(gate[0], &go, 1);
		_exit(0);
	}
	sb_forks_adopt(forks, pid);
	cr_assert(sb_forks_has(forks, pid));
	cr_assert(eq(sz, sb_forks_living(forks, pids, 4), 1));
	cr_assert(eq(int, pids[0], pid));
	cr_assert(eq(long, write(gate[1], "", 1), 1));
	cr_assert(eq(int, waitpid(pid, NULL, 0), pid));
	for (int i = 0; i < 500 && sb_forks_has(forks, pid); i++) {
		sb_forks_poll(forks, tell, NULL);
		usleep(10000);
	}
	cr_assert(eq(sz, count(SB_FORK_ENDED), 1));
	sb_forks_free(forks);
}
