/*
 * The same view through bubblewrap: where only it may make namespaces.
 *
 * bubblewrap stays as the parent of what it runs, dies of signals that are meant for the program,
 * and ends with a number where the program ended of a signal. So it runs us once more inside
 * (inner.h), is ended as soon as that one is there, and the program becomes our own child, whose
 * signals and status we pass on. Left of it is that the program is a child of the process that was
 * started, and has a pid of its own.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/bwrap.h"
#include "common/cleanup.h"
#include "common/path.h"
#include "common/probe.h"
#include "launcher/bwrap_args.h"
#include "launcher/inner.h"
#include "launcher/layer.h"
#include "launcher/mode.h"
#include "launcher/monitor.h"
#include "launcher/process.h"
#include "launcher/session.h"
#include "launcher/tree.h"

/* A run in the making. */
struct run {
	const struct launch_request *request;
	struct launch_session session;
	struct launch_layer layer;
	struct launch_reaper reaper;
	struct launch_monitor monitor;
	struct sb_buf bwrap, said;
	bool reaped, has_stderr;
	int self, args, message; /* for bubblewrap to inherit */
	int outer, inner;	 /* the two ends of the socket */
	int heard, told;	 /* of the pipe that is bubblewrap's stderr */
};

/* 0, 1 and 2 are the program's, also where it was started without them. */
static int high(int fd)
{
	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	(void)close(fd);
	return moved;
}

static int memory_file(const struct sb_buf *bytes, struct sb_err *err)
{
	auto_fd int fd = high(memfd_create("sidebundle", MFD_CLOEXEC));

	if (fd < 0)
		return sb_fail(err, errno, "make a memory file");
	if (write(fd, bytes->s, bytes->len) != (ssize_t)bytes->len || lseek(fd, 0, SEEK_SET) < 0)
		return sb_fail(err, errno, "write a memory file");
	return sb_steal_fd(&fd);
}

static int make_layer(struct run *r, struct sb_err *err)
{
	struct launch_layer *layer = &r->layer;
	struct sb_err none = SB_ERR_INIT;

	layer->bundle = r->request->bundle;
	layer->payload = r->request->payload;
	layer->mounts = LAUNCH_MOUNTS_THEIRS;
	int rc = launch_layer_claim(layer, &r->session.places, err);
	const struct launch_reaper_way way = {.hold = layer->claim, .apart = true};
	/* Process 1 would get the reaper as its child, and takes it along when it ends. */
	r->reaped = rc == 0 && getpid() != 1 && launch_reaper_start(&way, &r->reaper, &none) == 0;
	r->reaper.socket = high(r->reaper.socket);
	r->reaper.inotify = high(r->reaper.inotify);
	if (rc == 0)
		rc = launch_layer_make(layer, &r->session.places, r->reaped ? &r->reaper : NULL,
				       &r->session.ops, err);
	return rc;
}

static int open_channels(struct run *r, struct sb_err *err)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return sb_fail(err, errno, "make a pair of sockets");
	r->outer = high(ends[0]);
	r->inner = high(ends[1]);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return sb_fail(err, errno, "make a pipe");
	r->heard = high(ends[0]);
	r->told = high(ends[1]);
	r->self = high(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	if (r->self < 0)
		return sb_fail(err, errno,
			       "open the launcher itself, '/proc/self/exe' (is /proc mounted?)");
	return 0;
}

static int write_arguments(struct run *r, struct sb_err *err)
{
	auto_buf args = SB_BUF_INIT;
	int rc = launch_bwrap_args(&r->layer, &r->session.ops, r->session.own_net, &args, err);

	if (rc == 0)
		rc = r->args = memory_file(&args, err);
	return rc < 0 ? rc : 0;
}

/* It may itself be an entry of a bundle: what is said to our launcher is not said to that one's. */
static int its_environment(const struct launch_request *request, struct sb_strings *ret)
{
	const char own[] = "SIDEBUNDLE_";
	int rc = 0;

	for (char *const *e = request->environment; *e && rc == 0; e++)
		if (strncmp(*e, own, sizeof own - 1) != 0)
			rc = sb_strings_add(ret, *e);
	return rc;
}

/* In bubblewrap's process to be: what it and the inner one need stays open. */
static void become_bwrap(struct run *r)
{
	auto_buf message = SB_BUF_INIT;
	struct sb_strings environment = {NULL, 0, 0};
	struct sb_err err = SB_ERR_INIT;
	char args_fd[16], message_fd[16], self[32];
	const struct launch_inner inner = {
		.self = r->self,
		.socket = r->inner,
		.said = r->has_stderr ? fcntl(STDERR_FILENO, F_DUPFD, STDERR_FILENO + 1) : -1,
		.reaper = r->reaper,
		.watch = "/dev",
		.ignore_children = r->monitor.ignore_children,
	};

	if (its_environment(r->request, &environment) < 0 ||
	    launch_inner_pack(&inner, r->request, &r->session, &message, &err) < 0)
		_exit(125);
	r->message = memory_file(&message, &err);
	(void)dup2(r->told, STDERR_FILENO);
	const int kept[] = {r->self,	r->inner,	  r->args,
			    r->message, r->reaper.socket, r->reaper.inotify};
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
		if (kept[i] >= 0)
			(void)fcntl(kept[i], F_SETFD, 0);
	(void)snprintf(args_fd, sizeof args_fd, "%d", r->args);
	(void)snprintf(message_fd, sizeof message_fd, "%d", r->message);
	(void)snprintf(self, sizeof self, "/proc/self/fd/%d", r->self);
	const char *const argv[] = {"bwrap", "--args",		args_fd,    "--",
				    self,    LAUNCH_INNER_WORD, message_fd, NULL};
	launch_monitor_unblock(&r->monitor);
	(void)execve(r->bwrap.s, (char *const *)argv, sb_strings_list(&environment));
	char text[128];
	int len = snprintf(text, sizeof text, "cannot be executed: %s", strerror(errno));
	(void)!write(STDERR_FILENO, text, (size_t)len);
	_exit(125);
}

/* Everything of ours that the program is not to find held open. */
static void let_go(struct run *r)
{
	int *const fds[] = {&r->self, &r->args,		 &r->inner,
			    &r->told, &r->reaper.socket, &r->reaper.inotify};

	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		sb_closep(fds[i]);
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		*fds[i] = -1;
}

/* bubblewrap ended, and nobody is inside: its own words tell why. */
static int tell_failure(struct run *r, pid_t child, struct sb_err *err)
{
	char piece[512];
	ssize_t n;
	int status = 0;

	while ((n = read(r->heard, piece, sizeof piece)) > 0 || (n < 0 && errno == EINTR))
		if (n > 0 && sb_buf_add(&r->said, piece, (size_t)n) < 0)
			break;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFSIGNALED(status) && !r->said.len)
		launch_monitor_end(status);
	return sb_bwrap_failed(r->bwrap.s, sb_buf_str(&r->said), err);
}

/* Ends as the program does. */
static void follow(struct run *r, pid_t child, pid_t program)
{
	pid_t own = getpid();

	/* It takes nothing along, and what it had set up stays. */
	bool adopted = kill(child, SIGKILL) == 0;
	while (adopted && waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	(void)!write(r->outer, &own, sizeof own); /* where it is gone, that shows next */
	/* An end of a pipe that the program closes is to be closed. */
	launch_close_range(0, ~0u, true);
	int status = launch_monitor_follow(adopted ? program : child);
	if (!r->reaped && r->layer.claim < 0)
		launch_tree_remove(AT_FDCWD, r->layer.path.s);
	launch_monitor_end(status);
}

static int start(struct run *r, struct sb_err *err)
{
	pid_t program = 0;
	ssize_t n;

	launch_monitor_block(&r->monitor);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return sb_fail(err, errno, "become the parent of what bubblewrap starts (prctl)");
	pid_t child = fork();
	if (child == 0)
		become_bwrap(r);
	let_go(r);
	if (child < 0)
		return sb_fail(err, errno, "fork");
	while ((n = read(r->outer, &program, sizeof program)) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof program)
		return tell_failure(r, child, err);
	follow(r, child, program);
	return 0;
}

static int run(const struct launch_request *request, struct sb_err *err)
{
	struct run r = {
		.request = request,
		.session = LAUNCH_SESSION_INIT,
		.layer = LAUNCH_LAYER_INIT,
		.reaper = LAUNCH_REAPER_INIT,
		.self = -1,
		.args = -1,
		.message = -1,
		.outer = -1,
		.inner = -1,
		.heard = -1,
		.told = -1,
		.has_stderr = fcntl(STDERR_FILENO, F_GETFD) >= 0,
	};
	auto_buf found = SB_BUF_INIT;
	int rc = sb_bwrap_find(&found, err);

	/* The layer becomes the current directory. */
	if (rc == 0 && sb_path_absolute(&r.bwrap, request->cwd ? request->cwd : "/", found.s) < 0)
		rc = sb_fail(err, ENOMEM, "find bwrap");
	if (rc == 0)
		rc = launch_session_plan(request, &r.session, err);
	if (rc == 0)
		rc = open_channels(&r, err);
	if (rc == 0)
		rc = make_layer(&r, err);
	if (rc == 0)
		rc = write_arguments(&r, err);
	/* The process ends where this fails: what it holds, the kernel releases. */
	return rc < 0 ? rc : start(&r, err);
}

const struct launch_mode launch_mode_bwrap = {"bwrap", sb_probe_bwrap, run};
