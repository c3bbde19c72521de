// libs: -lpthread
/*
 * turns threads|apart|shared DIR: working directories that change under a watcher's hands; what a
 * relative name means is certain all the same, as the two take turns.
 *
 * threads: one thread changes the directory of both, the other one opens. apart: a thread that has
 * a directory of its own (unshare(CLONE_FS)). shared: a child process that shares its parent's
 * (clone(CLONE_FS)). DIR is made by the caller, empty.
 */
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/targets/expect.h"

#define TURNS 200
#define DIRS  4

static const char *dir;
static pthread_barrier_t *turn; /* in memory that a child shares */
static char *paths[DIRS];

static void take_turn(void)
{
	pthread_barrier_wait(turn);
}

static void *change(void *unused)
{
	for (unsigned long i = 0; i < TURNS; i++) {
		take_turn();
		if (chdir(paths[i % DIRS]))
			fail("chdir", paths[i % DIRS]);
		take_turn();
	}
	return unused;
}

static void open_here(const char *prefix)
{
	char name[64];

	for (unsigned long i = 0; i < TURNS; i++) {
		take_turn();
		take_turn();
		snprintf(name, sizeof(name), "%s%lu", prefix, i);
		open_wanting(name, O_RDONLY, ENOENT);
	}
}

static void *change_own(void *unused)
{
	if (unshare(CLONE_FS))
		fail("unshare", "CLONE_FS");
	for (unsigned long i = 0; i < TURNS; i++) {
		char name[64];

		take_turn();
		snprintf(name, sizeof(name), "own%lu", i);
		if (chdir(paths[i % DIRS]))
			fail("chdir", paths[i % DIRS]);
		open_wanting(name, O_RDONLY, ENOENT);
		take_turn();
	}
	return unused;
}

static int change_as_child(void *unused)
{
	(void)change(unused);
	_exit(0);
}

static void expect_turns(const char *prefix, int moving)
{
	char prefixed[256], name[256];

	for (unsigned long i = 0; i < TURNS; i++) {
		snprintf(prefixed, sizeof(prefixed), "%s", moving ? paths[i % DIRS] : dir);
		expect_count("open", ENOENT, 1, missing_name(name, prefixed, prefix, i));
	}
}

static void with_thread(void *(*body)(void *), const char *prefix)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, body, NULL))
		fail("pthread_create", dir);
	open_here(prefix);
	pthread_join(thread, NULL);
}

static void with_child(void)
{
	size_t size = 65536;
	char *stack = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t child = clone(change_as_child, stack + size, CLONE_FS | SIGCHLD, NULL);
	int status;

	if (child < 0)
		fail("clone", dir);
	open_here("shared");
	if (waitpid(child, &status, 0) != child || status)
		fail("child", dir);
}

int main(int argc, char **argv)
{
	pthread_barrierattr_t attr;

	if (argc != 3)
		return 2;
	dir = argv[2];
	turn = mmap(NULL, sizeof(*turn), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	pthread_barrier_init(turn, &attr, 2);
	for (int i = 0; i < DIRS; i++)
		if (asprintf(&paths[i], "%s/d%d", dir, i) < 0 || mkdir(paths[i], 0700))
			fail("mkdir", dir);
	if (chdir(dir))
		fail("chdir", dir);
	if (!strcmp(argv[1], "threads")) {
		expect_turns("thread", 1);
		with_thread(change, "thread");
	} else if (!strcmp(argv[1], "apart")) {
		expect_turns("own", 1);
		expect_turns("main", 0);
		with_thread(change_own, "main");
	} else {
		expect_turns("shared", 1);
		with_child();
	}
	return 0;
}
