/*
 * forks plain|vfork|nested|thread|daemon|outlive DIR OPENS: children that run on without exec, or
 * between vfork and exec. OPENS is the target of that name.
 *
 * daemon: its opens are in the trace if the trace waits for it (--wait-all).
 * outlive: a grandchild opens DIR/before, tells so by making DIR/started, and opens on once DIR/go
 * is there; then it makes DIR/survived. The command itself ends as soon as DIR/started is made.
 */
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/targets/expect.h"

static const char *dir;
static const char *opens;

static void wait_for(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child || status)
		fail("child failed", "fork");
}

static void open_some(const char *prefix, unsigned long count)
{
	char name[256];

	for (unsigned long i = 0; i < count; i++)
		expect("open", ENOENT, missing_name(name, dir, prefix, i));
	for (unsigned long i = 0; i < count; i++)
		open_wanting(missing_name(name, dir, prefix, i), O_RDONLY, ENOENT);
}

static void plain(void)
{
	pid_t child = fork();

	if (!child) {
		open_some("child", 700);
		_exit(0);
	}
	open_some("parent", 700);
	wait_for(child);
	open_some("later", 10);
}

/* The child works in its parent's memory: whatever the recorder keeps there must stay right. */
static void vforked(void)
{
	char in_child[256], in_image[256];

	missing_name(in_child, dir, "vchild", 0);
	missing_name(in_image, dir, "vimage", 0);
	expect("exec", ENOENT, "/nowhere/program");
	for (unsigned long i = 0; i < 20; i++) {
		pid_t child = vfork();

		if (!child) {
			open(in_child, O_RDONLY);
			execl("/nowhere/program", "program", (char *)NULL);
			execl(opens, "opens", "-2", in_image, (char *)NULL);
			_exit(1);
		}
		wait_for(child);
		open_some("vparent", 20);
	}
	expect_count("open", ENOENT, 20, in_child);
	expect_count("open", ENOENT, 20, in_image);
	expect_count("exec", 0, 20, opens);
}

static void nested(int depth)
{
	char prefix[32];
	pid_t child = depth ? fork() : 1;

	if (!child) {
		nested(depth - 1);
		_exit(0);
	}
	snprintf(prefix, sizeof(prefix), "depth%d-", depth);
	open_some(prefix, 5);
	if (depth)
		wait_for(child);
}

static void *fork_in_thread(void *unused)
{
	plain();
	return unused;
}

static void close_all(void)
{
	for (int fd = 0; fd < 1024; fd++)
		close(fd);
}

/* As a daemon does it: two forks, a session of its own, "/", no descriptor left. */
static void daemonize(void)
{
	char name[256];
	pid_t child = fork();

	if (child) {
		wait_for(child);
		return;
	}
	setsid();
	for (unsigned long i = 0; i < 700; i++)
		expect("open", ENOENT, missing_name(name, dir, "daemon", i));
	if (fork())
		_exit(0);
	if (chdir("/"))
		_exit(1);
	close_all();
	for (unsigned long i = 0; i < 700; i++)
		open(missing_name(name, dir, "daemon", i), O_RDONLY);
	_exit(0);
}

static void make(const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	if (fd < 0)
		fail("make", path);
	close(fd);
}

static void await(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	for (int i = 0; access(path, F_OK) && i < 3000; i++)
		usleep(10000);
}

static void outlive(void)
{
	char name[256];
	pid_t child;

	if (fork()) {
		await("started");
		return;
	}
	setsid();
	open_some("before", 10);
	make("started");
	close_all();
	await("go");
	for (unsigned long i = 0; i < 3000; i++)
		open(missing_name(name, dir, "after", i), O_RDONLY);
	child = fork();
	if (!child) {
		execl(opens, "opens", "-2", missing_name(name, dir, "late", 0), (char *)NULL);
		_exit(1);
	}
	waitpid(child, NULL, 0);
	make("survived");
	_exit(0);
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc != 4)
		return 2;
	dir = argv[2];
	opens = argv[3];
	if (!strcmp(argv[1], "plain")) {
		plain();
	} else if (!strcmp(argv[1], "vfork")) {
		vforked();
	} else if (!strcmp(argv[1], "nested")) {
		nested(8);
	} else if (!strcmp(argv[1], "thread")) {
		if (pthread_create(&thread, NULL, fork_in_thread, NULL))
			return 1;
		pthread_join(thread, NULL);
	} else if (!strcmp(argv[1], "daemon")) {
		daemonize();
	} else {
		outlive();
	}
	return 0;
}
